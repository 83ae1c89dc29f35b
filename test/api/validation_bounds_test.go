package api

import (
	"fmt"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

const (
	ownAnnotations = `SPEC: Invalid value: template.metadata.annotations must not hold annotations of testrun.dev: only the operator sets them`
	ownLabels      = `SPEC: Invalid value: template.metadata.labels must not hold labels of testrun.dev: only the operator sets them`
	tooManyEnv     = `SPEC: Invalid value: the containers have more than 4096 variables together, where each param counts once for each container: use fewer containers, params or env`
	tooMuchText    = `SPEC: Invalid value: command, args and the values of env hold more than 262144 characters in all containers together: put long text into a ConfigMap`
	tooMuchParam   = `spec: Invalid value: params are given to each container, and are longer than 262144 characters in all containers together: use fewer containers, or put long text into a ConfigMap`
)

// list is a YAML list of n items, in which N stands for the number of the item.
func list(n int, item string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = strings.ReplaceAll(item, "N", fmt.Sprint(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// annotated is the spec of a definition whose template has this metadata.
func annotated(metadata string) string {
	return "{template: {metadata: {" + metadata + "}, spec: {" + container + "}}}"
}

// withText is the spec of a definition with a container that has n times 64 KiB of text in the field, and one letter more.
func withText(n int, field string) string {
	item := strings.Repeat("a", 64*1024)
	if field == "env" {
		return pod(`containers: [{name: test, env: `+list(n, `{name: VN, value: `+item+`}`)+`, args: [a]}]`, ``)
	}
	return pod(`containers: [{name: test, `+field+`: `+list(n, item)+`}], initContainers: [{name: init, args: [a]}]`, ``)
}

var boundRefusals = []definitionRefusal{
	{refusal: refusal{"an annotation of the operator", annotated(`annotations: {example.com/stop-verdict: Passed, testrun.development/a: b, nottestrun.dev/a: b}`), annotated(`annotations: {testrun.dev/stop-verdict: Passed}`), ownAnnotations}},
	{refusal: refusal{"an annotation below the operator's domain", annotated(`annotations: {testrun.dev.example.com/a: b}`), annotated(`annotations: {a: b, some.testrun.dev/a: b}`), ownAnnotations}},
	{refusal: refusal{"a label of the operator", annotated(`labels: {app: a, kueue.x-k8s.io/queue-name: a}`), annotated(`labels: {app: a, testrun.dev/run: other}`), ownLabels}},
	{refusal: refusal{"too many containers", pod(`containers: `+list(64, `{name: cN}`), ``), pod(`containers: `+list(65, `{name: cN}`), ``), `SPEC.template.spec.containers: Too many: 65: must have at most 64 items`}},
	{refusal: refusal{"too many volumes", pod(container+`, volumes: `+list(128, `{name: vN}`), ``), pod(container+`, volumes: `+list(129, `{name: vN}`), ``), `SPEC.template.spec.volumes: Too many: 129: must have at most 128 items`}},
	{refusal: refusal{"too many empty sources", pod(container+`, volumes: [{name: v, projected: {sources: `+list(64, `{}`)+`}}]`, ``), pod(container+`, volumes: [{name: v, projected: {sources: `+list(65, `{}`)+`}}]`, ``), `SPEC.template.spec.volumes[0].projected.sources: Too many: 65: must have at most 64 items`}},
	{refusal: refusal{"too many node labels", pod(container+`, nodeSelector: {a: b}`, ``), pod(container+`, nodeSelector: {`+strings.Trim(list(65, `lN: a`), "[]")+`}`, ``), `SPEC.template.spec.nodeSelector: Too many: 65: must have at most 64 items`}},
	{refusal: refusal{"an image's name too long", pod(`containers: [{name: test, image: `+strings.Repeat("a", 4096)+`}]`, ``), pod(`containers: [{name: test, image: `+strings.Repeat("a", 4097)+`}]`, ``), `SPEC.template.spec.containers[0].image: Too long: may not be more than 4096 bytes`}},
	{refusal: refusal{
		"too many variables", pod(`containers: `+list(8, `{name: cN, env: `+list(512, `{name: VN}`)+`}`), ``),
		pod(`containers: `+list(8, `{name: cN, env: `+list(512, `{name: VN}`)+`}`)+`, initContainers: [{name: init, env: [{name: A}]}]`, ``), tooManyEnv,
	}},
	{refusal: refusal{
		"params that make too many variables", pod(`containers: `+list(63, `{name: cN}`)+`, initContainers: [{name: init}]`, `, params: `+list(64, `{name: PN}`)),
		pod(`containers: `+list(64, `{name: cN}`)+`, initContainers: [{name: init}]`, `, params: `+list(64, `{name: PN}`)), tooManyEnv,
	}},
	{refusal: refusal{"too long arguments", withText(3, "args"), withText(4, "args"), tooMuchText}},
	{refusal: refusal{"too long commands", withText(3, "command"), withText(4, "command"), tooMuchText}},
	{refusal: refusal{"too long variables", withText(3, "env"), withText(4, "env"), tooMuchText}},
}

// runParams are a run's values for params, each with 1,024 letters.
func runParams(n int) string {
	return `, params: ` + list(n, `{name: PN, value: `+strings.Repeat("a", 1024)+`}`)
}

var boundRunRefusals = []refusal{{
	"params that are too long for all containers",
	`{testSpec: ` + pod(`containers: `+list(4, `{name: cN}`), `, params: `+list(64, `{name: PN}`)) + runParams(64) + `}`,
	`{testSpec: ` + pod(`containers: `+list(4, `{name: cN}`)+`, initContainers: [{name: init}]`, `, params: `+list(64, `{name: PN}`)) + runParams(64) + `}`,
	tooMuchParam,
}}

// What Kubernetes sets, a template cannot: kubectl says so, since it asks for strict validation.
func TestATemplateHasNoMetadataOfItsOwn(t *testing.T) {
	for field, spec := range map[string]string{
		"spec.template.metadata.name":                                                annotated(`name: a`),
		"spec.template.metadata.namespace":                                           annotated(`namespace: kube-system`),
		"spec.template.metadata.finalizers":                                          annotated(`finalizers: [example.com/keep]`),
		"spec.template.metadata.generateName":                                        annotated(`generateName: a-`),
		"spec.template.metadata.ownerReferences":                                     annotated(`ownerReferences: [{kind: Node}]`),
		"spec.template.spec.ephemeralContainers":                                     pod(container+`, ephemeralContainers: [{name: a}]`, ``),
		"spec.template.spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name":  pod(container+`, volumes: [{name: v, ephemeral: {volumeClaimTemplate: {metadata: {name: a}, spec: {}}}}]`, ``),
		"spec.template.spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.other": pod(container+`, volumes: [{name: v, ephemeral: {volumeClaimTemplate: {metadata: {other: a}, spec: {}}}}]`, ``),
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			err := apiserver.Client.Create(t.Context(), object(t, "Test", spec), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			if want := fmt.Sprintf("unknown field %q", field); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the API server says %v, want: %s", err, want)
			}
		})
	}
}

// Nothing below a pod template is without a bound: a few bytes of JSON may be many in the memory of who reads them.
func TestAllThatATemplateHoldsIsBounded(t *testing.T) {
	found := 0
	for kind, crd := range crds(t) {
		walk(kind, *schema(crd), func(path string, node apiextensionsv1.JSONSchemaProps) {
			if !strings.Contains(path, ".template.") {
				return
			}
			found++
			switch {
			case node.Items != nil && node.MaxItems == nil:
				t.Errorf("the list %s has no maxItems", path)
			case node.AdditionalProperties != nil && node.MaxProperties == nil:
				t.Errorf("the map %s has no maxProperties", path)
			case node.Type == "string" && node.MaxLength == nil:
				t.Errorf("the text %s has no maxLength", path)
			}
		})
	}
	if found == 0 {
		t.Error("no template found")
	}
}

// walk visits each schema below the node.
func walk(path string, node apiextensionsv1.JSONSchemaProps, visit func(string, apiextensionsv1.JSONSchemaProps)) {
	visit(path, node)
	for name, property := range node.Properties {
		walk(path+"."+name, property, visit)
	}
	if node.Items != nil {
		walk(path+"[]", *node.Items.Schema, visit)
	}
	if node.AdditionalProperties != nil && node.AdditionalProperties.Schema != nil {
		walk(path+"{}", *node.AdditionalProperties.Schema, visit)
	}
}
