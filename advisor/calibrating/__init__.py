"""Own benchmark results become a calibration: which tool wrote a file is detected, and a few factors are fitted.

| file | of | what is read |
| --- | --- | --- |
| JSON, one object or several | `vllm bench serve --save-result` | TTFT, TPOT, lengths, rate or concurrency |
| `benchmarks.json` | guidellm | the same, for each strategy that was tried |
| `profile_export_*.json`, `.csv` | aiperf, genai-perf | the same |
| benchmark report 0.1, 0.2 | llm-d-benchmark | the same, with chip and parallelism |
| CSV | perf_analyzer, Model Analyzer | items per second and compute time by batch |
| `mlperf_log_summary.txt` | MLPerf LoadGen | samples per second, latency, TTFT and TPOT |
| JSON lines | the ledger of `advisor audit` | latencies of each period against those predicted |
| CSV | rows as `advisor predict` takes them | any measured column that `advisor validate` knows |
"""

from advisor.calibrating.assembling import calibrate
from advisor.calibrating.reading import read_results
from advisor.calibrating.results import Results, Run
from advisor.calibrating.settings import Setting, Stated
from advisor.calibrating.writing import as_yaml, summary

__all__ = ["Results", "Run", "Setting", "Stated", "as_yaml", "calibrate", "read_results", "summary"]
