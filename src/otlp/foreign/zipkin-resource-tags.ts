// Tags of a Zipkin span that are its resource's attributes: the collector's exporter puts all attributes of a resource among the tags,
// and these find their way back (OpenTelemetry semantic conventions, Resource, as of 1.9 and with their later names).

const BY_PREFIX: Readonly<Record<string, string>> = {
  cloud: 'provider account.id region availability_zone platform resource_id',
  'aws.ecs': 'container.arn cluster.arn launchtype task.arn task.family task.revision',
  'aws.eks': 'cluster.arn',
  'aws.log': 'group.names group.arns stream.names stream.arns',
  container: 'name id runtime image.name image.tag',
  deployment: 'environment',
  device: 'id manufacturer model.identifier model.name',
  faas: 'name id version instance max_memory',
  host: 'id name type arch image.name image.id image.version',
  k8s: `cluster.name node.name node.uid namespace.name pod.uid pod.name container.name container.restart_count replicaset.uid
    replicaset.name deployment.uid deployment.name statefulset.uid statefulset.name daemonset.uid daemonset.name job.uid job.name
    cronjob.uid cronjob.name`,
  os: 'type description name version',
  process: `pid executable.name executable.path command command_line command_args owner runtime.name runtime.version
    runtime.description`,
  service: 'name namespace instance.id version',
  telemetry: 'sdk.name sdk.language sdk.version auto.version',
  webengine: 'name version description',
  opencensus: 'starttime exporterversion resourcetype',
};

export const RESOURCE_TAGS: ReadonlySet<string> = new Set(
  Object.entries(BY_PREFIX).flatMap(([prefix, names]) => names.split(/\s+/).map((name) => `${prefix}.${name}`)),
);
