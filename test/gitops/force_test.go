package gitops

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// Argo CD applies as kubectl does, and with Force=true as kubectl apply --force does.
func TestForceRunsAChangedRunAgainAndLeavesAnUnchangedOneAlone(t *testing.T) {
	const manifest = `
apiVersion: testrun.dev/v1alpha1
kind: TestRun
metadata: {name: gate}
spec:
  testSpec:
    template: {spec: {containers: [{name: test, image: "perl:5-slim", command: [prove]}]}}
`
	namespace := apiserver.Namespace(t)
	gate := &unstructured.Unstructured{}
	gate.SetAPIVersion("testrun.dev/v1alpha1")
	gate.SetKind("TestRun")
	apply := func(manifest string, flags ...string) (types.UID, string, error) {
		out, err := apiserver.Kubectl(t, manifest, append([]string{"apply", "--namespace", namespace, "--filename=-"}, flags...)...)
		if err := apiserver.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "gate"}, gate); err != nil {
			t.Fatalf("%v, after kubectl has said %s", err, out)
		}
		return gate.GetUID(), out, err
	}
	first, out, err := apply(manifest)
	if err != nil {
		t.Fatal(out)
	}
	report(t, gate)

	if again, out, err := apply(manifest, "--force"); err != nil || again != first {
		t.Errorf("applying the same file with force makes another run, or %s", out)
	}
	changed := strings.Replace(manifest, "prove", "another", 1)
	if again, out, err := apply(changed); err == nil || again != first || !strings.Contains(out, "create a new TestRun") {
		t.Errorf("applying a changed file without force says %s", out)
	}
	if again, out, err := apply(changed, "--force"); err != nil || again == first {
		t.Errorf("applying a changed file with force makes no other run: %s", out)
	}
}
