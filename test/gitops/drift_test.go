package gitops

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// sparse is a template that leaves out all that Kubernetes has defaults for in a pod, and writes what it can in an unusual way.
const sparse = `
metadata:
  labels: {app: shop}
spec:
  terminationGracePeriodSeconds: 5
  imagePullSecrets: [{name: registry}]
  hostAliases: [{ip: 10.0.0.1, hostnames: [shop]}]
  topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: shop}}}
  initContainers:
    - {name: migrate, image: "perl:5-slim", ports: [{containerPort: 9090}]}
  containers:
    - name: test
      image: perl:5-slim
      command: [prove]
      ports: [{containerPort: 8080}, {containerPort: 8081, name: admin}]
      env:
        - {name: CONFIG, valueFrom: {configMapKeyRef: {name: shop, key: config}}}
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: shop, key: token}}}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
        - {name: FILE, valueFrom: {fileKeyRef: {volumeName: scratch, path: a, key: b}}}
      envFrom: [{configMapRef: {name: shop}}, {secretRef: {name: shop, optional: true}}]
      resources: {requests: {cpu: 1000m, memory: 1024Mi}, limits: {memory: "2147483648"}}
      readinessProbe: {grpc: {port: 8080}}
      livenessProbe: {httpGet: {port: admin}}
      startupProbe: {tcpSocket: {port: 8080}}
      lifecycle: {preStop: {sleep: {seconds: 1}}}
      volumeMounts: [{name: scratch, mountPath: /scratch}, {name: all, mountPath: /all}]
  volumes:
    - {name: scratch, emptyDir: {}}
    - {name: host, hostPath: {path: /tmp}}
    - {name: config, configMap: {name: shop}}
    - {name: secret, secret: {secretName: shop}}
    - {name: iscsi, iscsi: {targetPortal: "10.0.0.1", iqn: iqn.2001-04.com.example, lun: 0}}
    - {name: rbd, rbd: {monitors: ["10.0.0.1"], image: a}}
    - {name: azure, azureDisk: {diskName: a, diskURI: b}}
    - {name: ephemeral, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
    - name: all
      projected:
        sources:
          - serviceAccountToken: {path: token}
          - configMap: {name: shop}
          - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
`

// manifests are objects as people have them in git: the samples, and some that leave out whatever has a default.
func manifests(t *testing.T) map[string]map[string]any {
	t.Helper()
	indented := "\n" + strings.ReplaceAll(strings.TrimSpace(sparse), "\n", "\n      ")
	texts := map[string]string{
		"a sparse Test": "kind: Test\nmetadata: {name: sparse-test}\nspec:\n  timeouts: {run: 90m}\n  retry: {failure: 1, backoff: {base: 60s}}\n" +
			"  params: [{name: URL}]\n  retention: {ttl: {passed: 24h}}\n  template:\n      " + indented[1:],
		"a sparse run": "kind: TestRun\nmetadata: {name: sparse-run}\nspec:\n  ttlAfterFinished: 60m\n  runAfter: \"2026-01-31T10:00:00+01:00\"\n" +
			"  unique: {key: a}\n  concurrency: {key: b}\n  testSpec:\n    template:\n      " + indented[1:],
		"a run of a Test": "kind: TestRun\nmetadata: {name: referring}\nspec:\n  testRef: {name: sparse-test}\n  params: [{name: URL, value: a}]\n",
		"a queue":         "kind: TestQueue\nmetadata: {name: drift}\nspec:\n  startRate: {starts: 10}\n  weights: [{namespace: a, weight: 2}]\n",
	}
	samples, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, sample := range samples {
		text, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		for i, document := range strings.Split(string(text), "\n---\n") {
			texts[filepath.Base(sample)+strings.Repeat("'", i)] = document
		}
	}
	found := map[string]map[string]any{}
	for name, text := range texts {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		switch kind, _ := object["kind"].(string); {
		case kind == "Kustomization":
			continue
		case strings.HasPrefix(kind, "Test"):
			object["apiVersion"] = "testrun.dev/v1alpha1"
		}
		found[name] = whole(object)
	}
	return found
}

// applied applies a manifest on the server's side, as the manager of that name, in the namespace.
func applied(t *testing.T, manifest map[string]any, namespace, manager string, options ...client.ApplyOption) (*unstructured.Unstructured, error) {
	t.Helper()
	object := &unstructured.Unstructured{Object: manifest}
	object = object.DeepCopy()
	if object.GetKind() != "TestQueue" && object.GetKind() != "Namespace" {
		object.SetNamespace(namespace)
	}
	err := apiserver.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), append(options, client.FieldOwner(manager))...)
	return object, err
}

func TestWhatIsStoredDiffersInNothingFromWhatIsInGit(t *testing.T) {
	namespace := apiserver.Namespace(t)
	for name, manifest := range manifests(t) {
		t.Run(name, func(t *testing.T) {
			object, err := applied(t, manifest, namespace, "somebody")
			if err != nil {
				t.Fatal(err)
			}
			// Argo CD and kubectl apply merge three ways, and compare each list as a whole.
			text := asJSON(t, manifest)
			drift, err := jsonmergepatch.CreateThreeWayJSONMergePatch(text, text, asJSON(t, object.Object))
			if err != nil {
				t.Fatal(err)
			}
			if string(drift) != "{}" {
				t.Errorf("Argo CD finds a difference for ever: %s", drift)
			}
		})
	}
}

func TestApplyingAgainOnTheServersSideChangesNothing(t *testing.T) {
	namespace := apiserver.Namespace(t)
	for name, manifest := range manifests(t) {
		t.Run(name, func(t *testing.T) {
			object, err := applied(t, manifest, namespace, "flux")
			if err != nil {
				t.Fatal(err)
			}
			if object.GetKind() == "TestRun" {
				report(t, object)
			}
			for _, manager := range []string{"flux", "another tool"} { // without force: nobody else holds a field
				again, err := applied(t, manifest, namespace, manager)
				if err != nil {
					t.Fatalf("applying again, as %s: %v", manager, err)
				}
				if again.GetGeneration() != object.GetGeneration() {
					t.Errorf("applying again, as %s, changed the spec to %s", manager, asJSON(t, again.Object["spec"]))
				}
			}
		})
	}
}

// report writes the run's status as the operator does: a merge patch of the status alone.
func report(t *testing.T, run *unstructured.Unstructured) {
	t.Helper()
	patch := `{"status": {"phase": "Finished", "verdict": "Passed", "observedGeneration": 1, "conditions": [
		{"type": "Succeeded", "status": "True", "reason": "TestPassed", "message": "", "lastTransitionTime": "2026-01-31T10:00:00Z"}]}}`
	err := apiserver.Client.Status().Patch(t.Context(), run.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner("testrun"))
	if err != nil {
		t.Fatal(err)
	}
}
