package chart

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/testrun-dev/testrun/test/apiserver"
)

const (
	operator = "Deployment testrun-system/testrun-controller-manager"
	server   = "Deployment testrun-system/testrun-server"
	follower = "Deployment shop/testrun-jobtable"
)

// everything is a set of values that uses each part of the chart.
const everything = `
manager:
  replicas: 3
  image: {repository: registry.example.com/manager, tag: v1.2.3, digest: "sha256:0123012301230123012301230123012301230123012301230123012301230123"}
  flags: {concurrency: 32, queueGracePeriod: 1m30s, defaultQueueLimit: 100000000, metricsBindAddress: ":9443", zapLogLevel: debug, retentionWaitsForArchive: 0}
  resources: {limits: {memory: 4Gi}}
  env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
  podAnnotations: {example.com/a: b}
  podLabels: {team: platform}
  tolerations: [{key: infra, operator: Exists}]
  affinity: {nodeAffinity: {}}
  priorityClassName: system-cluster-critical
  networkPolicy: {enabled: true, extraEgress: [{ports: [{port: 8443, protocol: TCP}]}]}
runner:
  image: {repository: registry.example.com/runner, tag: ""}
server:
  enabled: true
  replicas: 2
  image: {repository: registry.example.com/server, tag: v1.2.3}
  flags: {blobs: "s3://archive/testrun?endpoint=s3.example.com&region=eu", maxRunBytes: 4294967296, keepRows: 0, oidcIssuer: "https://login.example.com", oidcClientId: tests, pageUrl: "https://tests.example.com"}
  database: {existingSecret: database}
  s3: {existingSecret: s3}
  session: {existingSecret: session}
  oidc: {existingSecret: oidc, caConfigMap: ca}
  tls: {existingSecret: certificate}
  persistence: {enabled: false}
  serviceAccountAnnotations: {example.com/role: archive}
  service: {type: LoadBalancer, annotations: {example.com/internal: "true"}}
  networkPolicy: {extraEgress: [{ports: [{port: 5432, protocol: TCP}, {port: 53, protocol: UDP}]}]}
jobtable:
  namespaces: [{name: shop, existingSecret: databases}, {name: "7", existingSecret: databases}]
  replicas: 2
  image: {repository: registry.example.com/jobtable, tag: v1.2.3}
  flags: {databases: /urls, metricsBindAddress: ":9090", healthProbeBindAddress: 0, zapLogLevel: debug}
  networkPolicy: {extraEgress: [{ports: [{port: 5433, protocol: TCP}]}]}
imagePullSecrets: [{name: registry}]
policies: {operator: true}
kueue: {enabled: true}
monitoring:
  serviceMonitor: {enabled: true, labels: {release: prometheus}, interval: 15s}
  prometheusRule: {enabled: true, disabled: [TestRunWaitsLong]}
  dashboard: {enabled: true}
namespace: {create: true}
`

var monitoringKnown = []string{"--api-versions=monitoring.coreos.com/v1/ServiceMonitor", "--api-versions=monitoring.coreos.com/v1/PrometheusRule"}

func withEverything(t *testing.T, namespace string) (objects map[string]object, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	return template(t, namespace, append([]string{"--values=" + file}, monitoringKnown...)...)
}

func TestTheValuesReachTheProgramsAsTheyAre(t *testing.T) {
	objects, _ := withEverything(t, home)
	for key, want := range map[string][]string{
		operator: {
			"--archive-url=https://testrun-push.testrun-system.svc:9443", "--concurrency=32", "--default-queue-limit=100000000",
			"--health-probe-bind-address=:8081", "--leader-elect", "--metrics-bind-address=:9443", "--queue-grace-period=1m30s",
			"--retention-waits-for-archive=0", "--runner-image=registry.example.com/runner:dev", "--zap-log-level=debug",
		},
		server: {
			"--blobs=s3://archive/testrun?endpoint=s3.example.com&region=eu", "--data=/data", "--keep-rows=0", "--leader-elect",
			"--max-run-bytes=4294967296", "--oidc-ca-file=/oidc-ca/ca.crt", "--oidc-client-id=tests", "--oidc-client-secret-file=/oidc/client-secret",
			"--oidc-issuer=https://login.example.com", "--page-url=https://tests.example.com", "--session-key=/session/session.key",
			"--tls-cert=/tls/tls.crt", "--tls-key=/tls/tls.key",
		},
		follower: {"--databases=/urls", "--health-probe-bind-address=0", "--leader-elect", "--metrics-bind-address=:9090", "--zap-log-level=debug"},
	} {
		var got []string
		args, _ := at(objects[key], "spec", "template", "spec", "containers", 0, "args").([]any)
		for _, arg := range args {
			got = append(got, arg.(string))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the arguments of %s are\n%s\nwant\n%s", key, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for _, check := range []struct {
		key  string
		path []any
		want any
	}{
		{operator, []any{"spec", "template", "spec", "containers", 0, "image"}, "registry.example.com/manager:v1.2.3@sha256:0123012301230123012301230123012301230123012301230123012301230123"},
		{operator, []any{"spec", "template", "spec", "containers", 0, "env", 0, "value"}, "3600MiB"},
		{operator, []any{"spec", "template", "spec", "containers", 0, "env", 1, "name"}, "HTTPS_PROXY"},
		{operator, []any{"spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"}, 9443.0},
		{operator, []any{"spec", "template", "spec", "imagePullSecrets", 0, "name"}, "registry"},
		{operator, []any{"spec", "template", "spec", "priorityClassName"}, "system-cluster-critical"},
		{operator, []any{"spec", "template", "metadata", "labels", "team"}, "platform"},
		{operator, []any{"spec", "replicas"}, 3.0},
		{operator, []any{"spec", "template", "spec", "topologySpreadConstraints", 0, "topologyKey"}, "kubernetes.io/hostname"},
		{"PodDisruptionBudget testrun-system/testrun-controller-manager", []any{"spec", "maxUnavailable"}, 1.0},
		{"PodDisruptionBudget testrun-system/testrun-server", []any{"spec", "selector", "matchLabels", "app.kubernetes.io/component"}, "server"},
		{server, []any{"spec", "strategy", "type"}, "RollingUpdate"},
		{server, []any{"spec", "template", "spec", "containers", 0, "env", 1, "valueFrom", "secretKeyRef", "name"}, "database"},
		{server, []any{"spec", "template", "spec", "volumes", 0, "emptyDir"}, object{}},
		{"Service testrun-system/testrun-server", []any{"spec", "type"}, "LoadBalancer"},
		{"NetworkPolicy testrun-system/testrun-server", []any{"spec", "egress", 1, "ports", 0, "port"}, 5432.0},
		{"ServiceMonitor testrun-system/testrun-server", []any{"spec", "endpoints", 0, "interval"}, "15s"},
		{"ServiceMonitor testrun-system/testrun-controller-manager", []any{"metadata", "labels", "release"}, "prometheus"},
		{follower, []any{"spec", "replicas"}, 2.0},
		{follower, []any{"spec", "template", "spec", "containers", 0, "image"}, "registry.example.com/jobtable:v1.2.3"},
		{follower, []any{"spec", "template", "spec", "containers", 0, "ports"}, []any{object{"name": "metrics", "containerPort": 9090.0}}},
		{follower, []any{"spec", "template", "spec", "containers", 0, "readinessProbe"}, nil},
		{follower, []any{"spec", "template", "spec", "containers", 0, "volumeMounts", 0, "mountPath"}, "/urls"},
		{follower, []any{"spec", "template", "spec", "volumes", 0, "secret", "secretName"}, "databases"},
		{follower, []any{"spec", "template", "spec", "imagePullSecrets", 0, "name"}, "registry"},
		{"RoleBinding 7/testrun-jobtable", []any{"subjects", 0, "namespace"}, "7"},
		{"PodDisruptionBudget 7/testrun-jobtable", []any{"spec", "maxUnavailable"}, 1.0},
		{"NetworkPolicy shop/testrun-jobtable", []any{"spec", "egress", 3, "ports", 0, "port"}, 5433.0},
		{"ServiceMonitor testrun-system/testrun-jobtable", []any{"spec", "namespaceSelector", "matchNames"}, []any{"shop", "7"}},
		{"ConfigMap testrun-system/testrun-dashboard", []any{"metadata", "labels", "grafana_dashboard"}, "1"},
	} {
		if got := at(objects[check.key], check.path...); fmt.Sprint(got) != fmt.Sprint(check.want) {
			t.Errorf("%s has %v at %v, want %v", check.key, got, check.path, check.want)
		}
	}
}

// GOMEMLIMIT follows the limit of memory, however that is written.
func TestTheGarbageCollectorKnowsTheLimitOfMemory(t *testing.T) {
	for limit, want := range map[string]string{"1Gi": "900MiB", "512Mi": "450MiB", "1.5Gi": "1350MiB", "1G": "838MiB", "2147483648": "1800MiB", "null": ""} {
		objects, _ := template(t, home, set("manager.resources.limits.memory="+limit)...)
		got := ""
		env, _ := at(objects[operator], "spec", "template", "spec", "containers", 0, "env").([]any)
		for _, variable := range env {
			got = variable.(object)["value"].(string)
		}
		if got != want {
			t.Errorf("with a limit of %s GOMEMLIMIT is %q, want %q", limit, got, want)
		}
	}
}

// A volume and SQLite are for one process at a time.
func TestAServerWithAVolumeIsReplacedAndNotDoubled(t *testing.T) {
	objects, _ := template(t, home, set("server.enabled=true")...)
	if strategy := at(objects[server], "spec", "strategy", "type"); strategy != "Recreate" {
		t.Errorf("its strategy is %v, want Recreate", strategy)
	}
	if policy := at(objects["PersistentVolumeClaim testrun-system/testrun-server"], "metadata", "annotations", "helm.sh/resource-policy"); policy != "keep" {
		t.Errorf("the policy of its volume is %v, want keep: data must survive an uninstall", policy)
	}
}

// The rules reach the cluster as they are in the file that the tests of the alerts read, but for those that are left out.
func TestTheAlertsAreThoseOfTheFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chart, "files", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := object{}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	objects, _ := withEverything(t, home)
	rendered, _ := at(objects["PrometheusRule testrun-system/testrun"], "spec", "groups").([]any)
	want := file["groups"].([]any)
	for i, namespace := range []string{"", "", "shop", "7"} {
		group := want[min(i, 2)].(object)
		name := strings.TrimSuffix(fmt.Sprintf("%s-%s", group["name"], namespace), "-")
		rules := slices.DeleteFunc(slices.Clone(group["rules"].([]any)), func(rule any) bool { return at(rule, "alert") == "TestRunWaitsLong" })
		text, err := yaml.Marshal(object{"name": name, "rules": rules})
		if err != nil {
			t.Fatal(err)
		}
		ours := object{}
		if err := yaml.Unmarshal(bytes.ReplaceAll(text, []byte(`namespace="default"`), []byte(`namespace="`+namespace+`"`)), &ours); err != nil {
			t.Fatal(err)
		}
		for _, difference := range differences(name, at(rendered, i), ours) {
			t.Error(difference)
		}
	}
	for name, args := range map[string][]string{
		"testrun": nil, "testrun-server": set("manager.enabled=false", "server.enabled=true"), "testrun-jobtable-shop": append(jobtables("shop"), "--set=manager.enabled=false"),
	} {
		alone, _ := template(t, home, slices.Concat(set("monitoring.prometheusRule.enabled=true"), args, monitoringKnown)...)
		if groups, _ := at(alone["PrometheusRule testrun-system/testrun"], "spec", "groups").([]any); len(groups) != 1 || at(groups[0], "name") != name {
			t.Errorf("there are %d groups of alerts with the values %v, want that called %s", len(groups), args, name)
		}
	}
}

// Whoever installs into another namespace finds nothing of testrun-system.
func TestNothingIsTiedToTheUsualNamespace(t *testing.T) {
	_, text := withEverything(t, "elsewhere")
	for number, line := range strings.Split(text, "\n") {
		if strings.Contains(line, home) {
			t.Errorf("line %d says %s", number+1, line)
		}
	}
}

// What the chart renders with everything on is what the API server takes, with no field that it does not know.
func TestTheAPIServerTakesWhatTheChartRenders(t *testing.T) {
	const fresh = "rendered"
	for _, namespace := range []string{fresh, "shop", "7"} {
		makeNamespace(t, namespace)
	}
	objects, _ := withEverything(t, fresh)
	alone, _ := template(t, fresh, set("server.enabled=true", "server.persistence.storageClass=-", "manager.flags.metricsBindAddress=0",
		"manager.flags.healthProbeBindAddress=0", "manager.networkPolicy.enabled=true")...)
	tried := 0
	for _, rendered := range []map[string]object{objects, alone} {
		for key, of := range rendered {
			if strings.Contains(of["apiVersion"].(string), "monitoring.coreos.com") {
				continue // test/alerts decodes them into the types of the Prometheus operator
			}
			tried++
			err := apiserver.Client.Patch(t.Context(), &unstructured.Unstructured{Object: of}, client.Apply, //nolint:staticcheck // it has no type
				client.DryRunAll, client.ForceOwnership, client.FieldOwner("chart"), client.FieldValidation(metav1.FieldValidationStrict))
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d objects were tried", tried)
	}
}
