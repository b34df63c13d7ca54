"""Predictions for rows: each row is recognised by its columns, and gets numbers with intervals or a reason why not.

| rows | recognised by | predicted |
| --- | --- | --- |
| a treatment of a model (`accuracy`) | `strategy`, `variant` | `accuracy_recovery_pct` |
| requests to a server that batches, such as Triton (`batching`) | `concurrency` or `request_rate_per_s`, and `instance_count`, `dynamic_batching_enabled` or `client_batch_size` | `latency_avg_ms`, `latency_p99_ms`, ..., `throughput_infer_per_s` |
| a language model under a rate (`load`) | a rate, such as `offered_rate_req_per_s` | `e2e_mean_ms`, `ttft_p99_ms`, ... |
| a language model under a concurrency (`serving`) | `isl_tokens` | `ttft_ms, tpot_ms, throughput_tokens_per_s` |
| an image model or encoder at full batches (`images`) | `device` (or `gpu`, `cpu`), `batch_size` | `throughput_images_per_s, step_time_ms` |

Every predicted number has `_p10` and `_p90` columns beside it: about 80 % of measurements lie between them.
"""

from advisor.prediction.files import predict_file
from advisor.prediction.rows import OUTPUT_COLUMNS, predict, predict_stream

__all__ = ["OUTPUT_COLUMNS", "predict", "predict_file", "predict_stream"]
