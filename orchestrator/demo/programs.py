"""What the jobs of the demonstration do.

Shell programs run for real in a small busybox container; each that goes on ends by itself
within two hours. `plays` makes the words of a scripted run (docs/fake-driver.md).
"""

from __future__ import annotations

from urllib.parse import quote

ROUNDS = 7200


def plays(
    seconds: float, *printed: str, errors: tuple[str, ...] = (), **words: object
) -> list[str]:
    """A scripted run of that length that prints these lines when it starts."""
    lines = [f"out={quote(line)}%0A" for line in printed]
    lines += [f"err={quote(line)}%0A" for line in errors]
    return [f"duration={seconds:g}", *lines, *(f"{name}={value}" for name, value in words.items())]


NIGHTLY_ETL = f"""\
echo "::group::Extract"
for table in customers orders order_lines refunds shipments; do
  echo "SELECT * FROM shop.$table WHERE updated_at >= :since"
  sleep 0.4
  echo "  $table: $(awk 'BEGIN {{ srand(); print int(rand() * 90000) + 1200 }}') rows"
done
echo "::endgroup::"
echo "::group::Validate"
printf '\\033[33mWARNING\\033[0m order_lines: 14 rows without a product, kept aside\\n' >&2
printf '\\033[32mok\\033[0m      customers, orders, refunds, shipments\\n'
echo "::endgroup::"
echo "+++ Load into the warehouse"
batch=0
while [ $batch -lt {ROUNDS // 2} ]; do
  batch=$((batch + 1))
  printf '\\033[2m%s\\033[0m batch %04d  2,000 rows  fact_orders\\n' "$(date -u +%T)" $batch
  sleep 2
done
"""

TRAIN_RANKER = f"""\
printf '\\033[1mtrain-ranker\\033[0m  lambdamart, 500 trees, learning rate 0.08\\n'
echo "train: 4,182,334 pairs   valid: 611,020 pairs"
epoch=0
while [ $epoch -lt {ROUNDS // 10} ]; do
  epoch=$((epoch + 1))
  [ $((epoch % 18)) -eq 0 ] && cache=
  cache=$cache$(head -c 1000000 /dev/zero | tr '\\0' x)
  step=0
  while [ $step -lt 20 ]; do
    step=$((step + 1))
    bar=$(printf '%*s' $step '' | tr ' ' '#')
    printf '\\repoch %3d  [%-20s] %3d%%' $epoch "$bar" $((step * 5))
    i=0; while [ $i -lt $((2000 + step * 700)) ]; do i=$((i + 1)); done
    sleep 0.4
  done
  printf '\\repoch %3d  \\033[36mndcg@10\\033[0m 0.%04d   loss 0.%04d            \\n' \\
    $epoch $((4100 + epoch * 7)) $((6900 - epoch * 11))
done
"""

CRAWL = f"""\
shop=https://shop.example/p
page=0
while [ $page -lt {ROUNDS} ]; do
  page=$((page + 1))
  ms=$((40 + page * 37 % 160))
  case $((page % 23)) in
    0) printf '\\033[31mERROR\\033[0m   504 %s/%d after 10.0 s, put off\\n' $shop $page >&2 ;;
    7) printf '\\033[33mWARNING\\033[0m 301 %s/%d moved\\n' $shop $page >&2 ;;
    *) printf '\\033[32m200\\033[0m %s/%d \\033[2m%d ms\\033[0m\\n' $shop $page $ms ;;
  esac
  sleep 1
done
"""

BUILD_INDEX = f"""\
echo "--- Read 1,204,118 documents"
sleep 1
echo "--- Build segments"
segment=0
while [ $segment -lt {ROUNDS // 4} ]; do
  segment=$((segment + 1))
  printf '\\rsegment %d of {ROUNDS // 4}' $segment
  sleep 4
done
"""

TRACEBACK = """\
echo "loading features of 2026-W47"
echo "customers: 184,203"
sleep 1
cat >&2 <<'END'
Traceback (most recent call last):
  File "/app/churn/features.py", line 88, in <module>
    main()
  File "/app/churn/features.py", line 71, in main
    frame = join(customers, read_parquet(path))
  File "/app/churn/io.py", line 24, in read_parquet
    raise SchemaMismatch(path, missing)
churn.io.SchemaMismatch: s3://features/2026-W47/sessions.parquet has no column 'session_seconds'
END
exit 1
"""

NO_MKDOCS = """\
echo "building the handbook, 214 pages"
mkdocs build --strict --site-dir /tmp/site
"""

EATS_MEMORY = """\
echo "rendering tiles of zoom level 14"
sleep 1
tail /dev/zero
"""

NEVER_DONE = """\
echo "waiting for the replica to catch up"
lag=912
while true; do
  echo "replica is $lag s behind"
  lag=$((lag + 1))
  sleep 1
done
"""

CRASHES = """\
echo "encoding 90,000 coordinates with libgeohash 2.1"
sleep 1
kill -SEGV $$
"""

THIRD_TIME_LUCKY = """\
echo "GET https://rates.example/v1/latest?base=EUR"
if [ "$GANTRY_ATTEMPT" -lt 3 ]; then
  echo "ERROR connection reset by peer" >&2
  exit 75
fi
echo "31 rates stored"
"""

ALWAYS_REFUSED = """\
echo "POST https://hooks.partner.example/orders"
echo "ERROR 503 Service Unavailable, request 7f1c20" >&2
exit 22
"""

MANY_LINES = """\
echo "checking 12,000 objects against their manifest"
seq 1 12000 | awk '{ printf "ok  backup/2026-11-%02d/part-%05d.zst\\n", $1 % 28 + 1, $1 }'
echo "12,000 objects, 0 differ"
"""

WITH_SECRET = """\
echo "signing in to the CRM as $CRM_USER"
echo "Authorization: Bearer $CRM_TOKEN"
sleep 1
echo "1,902 contacts written, 14 left as they were"
"""

SMOKE_TEST = """\
echo "::group::Checks"
for check in database queue storage search mail; do
  printf '\\033[32mok\\033[0m  %s\\n' $check
  sleep 0.2
done
echo "::endgroup::"
echo "5 of 5 passed"
"""
