#!/usr/bin/env bash
# A real Apache Kafka broker of one node in the foreground: broker.sh [check|fetch]
#
# The first start fetches Kafka's jars by Maven and formats the data folder; later ones go on with both, also after a
# kill. Ctrl-C, SIGINT or SIGTERM ends it. `broker.sh fetch` only fetches the jars, and
# `broker.sh check` only says what is missing.
#
# Environment variables; relative folders are of the checkout:
#   KAFKA_PORT             of the clients, on 127.0.0.1 (9092)
#   KAFKA_CONTROLLER_PORT  of the controller, on 127.0.0.1 (KAFKA_PORT + 1)
#   KAFKA_DATA             folder of the data (var/kafka/data)
#   KAFKA_LIBS             folder of the jars (var/kafka/libs)
#   KAFKA_PROPERTIES       a file whose properties win over those of server.properties, listeners among them (none)
#   KAFKA_HEAP             of the JVM (512m)
#   KAFKA_LOG              trace, debug, info, warn or error (warn)
#   JAVA_HOME, MAVEN_ARGS  as Java and Maven have them
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }

port=${KAFKA_PORT:-9092}
controller_port=${KAFKA_CONTROLLER_PORT:-$((port + 1))}
data=$(absolute "${KAFKA_DATA:-var/kafka/data}")
libs=$(absolute "${KAFKA_LIBS:-var/kafka/libs}")
log=${KAFKA_LOG:-warn}
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

fail() {
  echo "$*" >&2
  exit 1
}

check_java() {
  command -v "$java" >/dev/null || fail "java is missing: Kafka needs Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)"
  local version
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ] || fail "Kafka needs Java 17 or newer, and $java is Java ${version:-of an unknown version}; JAVA_HOME chooses another"
}

# The pom within the folder says that it is complete, and for which pom. It is filled elsewhere and renamed, so two
# that do this at once never see a half of it.
is_fetched() { cmp -s "$here/pom.xml" "$libs/pom.xml"; }

check_mvn() {
  is_fetched || command -v mvn >/dev/null || fail "mvn is missing: Kafka's jars are fetched by Maven (Debian: apt-get install maven)"
}

fetch() {
  if is_fetched; then return; fi
  echo "fetching Apache Kafka into $libs (once; 45 MB)" >&2
  mkdir -p "$(dirname "$libs")"
  local new old
  new=$(mktemp -d "$libs.new.XXXXXX") old=$(mktemp -d "$libs.old.XXXXXX")
  trap 'rm -rf "$new" "$old"' EXIT
  mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$new" -DincludeScope=runtime >&2 ||
    fail "Maven could not fetch Apache Kafka; what it said stands above"
  cp "$here/pom.xml" "$new/"
  chmod 755 "$new"
  if ! is_fetched; then
    [ ! -e "$libs" ] || mv "$libs" "$old/" 2>/dev/null || true
    mv "$new" "$libs"
    rm -rf "${libs:?}/$(basename "$new")" # where another was quicker, `mv` put it within
  fi
  rm -rf "$new" "$old"
  trap - EXIT
}

# Whether anything listens on a port of 127.0.0.1.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

case "${1:-run}" in
run | fetch | check) ;;
*) fail "broker.sh knows no '$1'; it is called as broker.sh, broker.sh fetch or broker.sh check" ;;
esac
check_java
check_mvn
[ "${1:-run}" != check ] || exit 0
fetch
[ "${1:-run}" != fetch ] || exit 0
for each in "$port" "$controller_port"; do
  ! answers "$each" || fail "something listens on 127.0.0.1:$each already; stop it, or choose another by KAFKA_PORT or KAFKA_CONTROLLER_PORT"
done

mkdir -p "$data"
properties=$data/server.properties
{
  cat "$here/server.properties"
  echo
  echo "# added by broker.sh"
  echo "log.dirs=$data/log"
  echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port"
  echo "advertised.listeners=PLAINTEXT://127.0.0.1:$port"
  echo "controller.quorum.voters=1@127.0.0.1:$controller_port"
  if [ -n "${KAFKA_PROPERTIES:-}" ]; then cat "$KAFKA_PROPERTIES"; fi
} >"$properties"

# Quick to start rather than quick after an hour; without the many threads of the bigger garbage collectors.
jvm=("$java" "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto
  -Djava.awt.headless=true
  -Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss"
  -Dorg.slf4j.simpleLogger.showThreadName=false
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=$log"
  -cp "$libs/*")
if [ "$log" = warn ]; then # of what every sound start and stop warns
  for each in org.apache.kafka.controller.QuorumController org.apache.kafka.clients.NetworkClient; do
    jvm+=("-Dorg.slf4j.simpleLogger.log.$each=error")
  done
fi

if [ ! -e "$data/log/meta.properties" ]; then
  cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' 'xy' | cut -c 1-22)
  "${jvm[@]}" kafka.tools.StorageTool format --config "$properties" --cluster-id "$cluster" --ignore-formatted >/dev/null ||
    fail "Kafka could not format $data; what it said stands above"
fi

# Says when it is up; ends with it otherwise.
(
  until answers "$port"; do
    kill -0 $$ 2>/dev/null || exit 0
    sleep 0.2
  done
  version=$(basename "$libs"/kafka-clients-*.jar .jar)
  echo "Apache Kafka ${version#kafka-clients-} on 127.0.0.1:$port, data in $data; Ctrl-C stops it" >&2
) &

exec "${jvm[@]}" kafka.Kafka "$properties"
