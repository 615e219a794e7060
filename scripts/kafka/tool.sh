#!/usr/bin/env bash
# Runs one of Kafka's own tools: tool.sh topics|groups|perf-producer|configs|CLASS arguments...
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
case ${1:?which tool} in
  topics) class=org.apache.kafka.tools.TopicCommand;;
  groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand;;
  perf-producer) class=org.apache.kafka.tools.ProducerPerformance;;
  configs) class=kafka.admin.ConfigCommand;;
  *) class=$1;;
esac
shift
CP=$(classpath) || die "Maven could not resolve Kafka $KAFKA_VERSION"
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$CP" "$class" "$@"
