package api

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// One stored object that Go cannot decode fails the list of all objects, and with it the operator of the whole cluster.
// So each of these is either refused at the door or can be listed; sweep_test.go looks for more of them.
func TestNoRowBreaksTheList(t *testing.T) {
	const container = "spec.testSpec.template.spec.containers[0]"
	limit := func(quantity string) string { return "{name: test, resources: {limits: {memory: " + quantity + "}}}" }
	refusedLimit := container + `.resources.limits.memory: Invalid value: `
	probe := func(port string) string { return "{name: test, livenessProbe: {httpGet: {port: " + port + "}}}" }
	refusedPort := container + `.livenessProbe.httpGet.port: Invalid value: `

	for _, c := range []struct {
		name      string
		container string
		want      string // the start of what the server says; empty: accepted
	}{
		{"a quantity with an exponent", limit(`1e9`), ""},
		{"a quantity with a quoted exponent", limit(`"1E+9"`), ""},
		{"a quantity with a suffix", limit(`1.5Gi`), ""},
		{"a quantity of exa", limit(`1E`), ""},
		{"a quantity as a number", limit(`1000000000`), ""},
		{"a quantity as a number too big for an int64", limit(`99999999999999999999`), refusedLimit + `"number"`},
		{"a negative quantity", limit(`-1`), container + `.resources.limits: Invalid value: nothing runs in less than 1Mi`},
		{"null for the limits", "{name: test, resources: {limits: null}}", ""},
		{"empty objects", "{name: test, resources: {limits: {}}, securityContext: {}, lifecycle: {preStop: {}}, env: []}", ""},
		{"a quantity with a huge exponent", limit(`"1e99999999999999999999"`), refusedLimit + `"1e99999999999999999999"`},
		{"a quantity with an exponent of three digits", limit(`"1e100"`), refusedLimit + `"1e100"`},
		{"a quantity with a fraction in its exponent", limit(`"1e1.5"`), refusedLimit + `"1e1.5"`},
		{"a quantity of very many digits", limit(strings.Repeat("9", 65) + "k"), container + `.resources.limits.memory: Too long: may not be more than 64 bytes`},
		{"a quantity with a unit that is none", limit(`"10MB"`), refusedLimit + `"10MB"`},
		{"no quantity at all", limit(`""`), refusedLimit + `""`},

		{"a port as a number", probe(`80`), ""},
		{"a port as a name", probe(`http`), ""},
		{"the biggest int32 as a port", probe(`2147483647`), ""},
		{"a port beyond an int32", probe(`2147483648`), refusedPort + `2147483648: spec.`},
		{"a port below an int32", probe(`-2147483649`), refusedPort + `-2147483649: spec.`},
		{"a port with a fraction", probe(`80.5`), refusedPort + `"number"`},

		{"a container port beyond an int32", "{name: test, ports: [{containerPort: 99999999999}]}", `<nil>: Invalid value: "": Checked value must be of type integer with format int32`},
		{"a user beyond an int64", "{name: test, securityContext: {runAsUser: 99999999999999999999}}", container + `.securityContext.runAsUser: Invalid value: "float64"`},
		{"null in a list", "{name: test, args: [null]}", container + `.args[0]: Invalid value: "null"`},
		{"an object for a string", "{name: test, image: {}}", container + `.image: Invalid value: "object"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := object(t, "TestRun", "{testSpec: {template: {spec: {containers: ["+c.container+"]}}}}")

			got := complaints(t, apiserver.Client.Create(t.Context(), run))

			if c.want != "" && (len(got) == 0 || !strings.HasPrefix(got[0], c.want)) {
				t.Errorf("the API server says %q, want %q", got, c.want)
			}
			if c.want == "" && got != nil {
				t.Errorf("refused: %q", got)
			}
			var runs v1alpha1.TestRunList
			if err := apiserver.Client.List(t.Context(), &runs, client.InNamespace(metav1.NamespaceDefault)); err != nil {
				t.Errorf("the list of all runs is broken: %v", err)
			}
		})
	}
}
