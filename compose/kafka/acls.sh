#!/bin/sh
# Who may do what: the point of the whole. Producers write ingress topics and cannot read them, nobody but the processor writes governed ones.
#   acls.sh BOOTSTRAP CLIENT_FILE [KAFKA_ACLS_COMMAND]
set -eu
bootstrap=$1 config=$2 tool=${3:-/opt/kafka/bin/kafka-acls.sh}
allow() { $tool --bootstrap-server "$bootstrap" --command-config "$config" --add --force "$@" >/dev/null; }
binding=payments
group=policystreams

# The one team that may produce payments. This is what the policy's `identity: { topic: … }` stands on.
allow --allow-principal User:checkout --operation Write --operation Describe --topic raw.$binding
allow --allow-principal User:checkout --operation IdempotentWrite --cluster

# The processor: reads what comes in and its own state, writes everything that goes out, all in its own transactions.
allow --allow-principal User:processor --operation Read --operation Describe --operation DescribeConfigs \
  --topic raw.$binding --topic held.$binding --topic state.$binding --topic approvals.$binding
allow --allow-principal User:processor --operation Write --operation Describe --operation DescribeConfigs \
  --topic held.$binding --topic state.$binding --topic rejected.$binding --topic decisions
allow --allow-principal User:processor --operation Write --operation Describe --operation DescribeConfigs --topic governed.$binding --resource-pattern-type prefixed
allow --allow-principal User:processor --operation Read --operation Describe --group $group
allow --allow-principal User:processor --operation Write --operation Describe --transactional-id $group --resource-pattern-type prefixed
allow --allow-principal User:processor --operation IdempotentWrite --operation Describe --cluster

# The approval service: reads the masked views, writes statements. It can read no record.
allow --allow-principal User:approvals --operation Read --operation Describe --topic state.$binding --topic decisions
allow --allow-principal User:approvals --operation Write --operation Describe --topic approvals.$binding
allow --allow-principal User:approvals --operation IdempotentWrite --cluster
allow --allow-principal User:approvals --operation Read --operation Describe --group policystreams-approval --resource-pattern-type prefixed

# A consumer: governed topics and the decisions about them.
allow --allow-principal User:analytics --operation Read --operation Describe --topic governed.$binding --resource-pattern-type prefixed
allow --allow-principal User:analytics --operation Read --operation Describe --topic decisions
allow --allow-principal User:analytics --operation Read --operation Describe --group analytics --resource-pattern-type prefixed

# The schema registry keeps its schemas in a topic of its own.
allow --allow-principal User:registry --operation All --topic _schemas
allow --allow-principal User:registry --operation All --group schema-registry
allow --allow-principal User:registry --operation Describe --topic __consumer_offsets
allow --allow-principal User:registry --operation DescribeConfigs --cluster

echo "acls: in place"
