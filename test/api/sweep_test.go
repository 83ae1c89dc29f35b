package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// hostileValues are what somebody may put into any field, as JSON. Numbers are written in each way that JSON has.
var hostileValues = []string{
	`null`, `true`, `0`, `-1`, `1`, `1.5`, `80.0`, `8e1`, `1e-3`, `1e30`, `1e300`,
	`2147483648`, `-2147483649`, `99999999999`, `9223372036854775808`, `-99999999999999999999`,
	`""`, `" "`, `"a"`, `"\u0000"`, `"0"`, `"80"`, `"99999999999"`,
	`"."`, `"+"`, `"+1"`, `"-.5"`, `"5."`, `"1E"`, `"1Ei"`, `"1e"`, `"1e5"`, `"1e1.5"`, `"1e.5"`, `"1E-5"`, `"1n"`, `"1m5"`,
	`"1e99"`, `"1e-99"`, `"1e400"`, `"1e-400"`, `"1e2147483647"`, `"1e99999999999999999999"`,
	`"` + strings.Repeat("9", 400) + `"`, `"0.` + strings.Repeat("0", 400) + `1"`,
	`"5m"`, `"-5m"`, `"5d"`, `"1.5h"`, `"99999h99999h99999h"`, `"99999999999h"`, `"1us"`,
	`"1.5ms"`, `"99999.999999999h99999.999999999h99999.999999999h"`, `"Auto"`,
	`"2026-01-31T10:00:00Z"`, `"2026-01-31T10:00:00"`, `"2026-01-31T10:00:00.123456789+01:00"`, `"2026-01-31t10:00:00z"`,
	`"2026-01-31 10:00:00Z"`, `"2026-01-31T10:00:00,5Z"`, `"2026-01-31T10:00Z"`, `"2026-02-31T10:00:00Z"`, `"2026-01-31"`,
	`"2026-01-31T24:00:00Z"`, `"2026-01-31T10:00:60Z"`, `"2026-01-31T10:00:00+0100"`, `"99999-01-31T10:00:00Z"`,
	`[]`, `[null]`, `[[]]`, `[{}]`, `[""]`, `{}`, `{"a":null}`, `{"a":{}}`, `{"":""}`, `{"name":null}`,
}

// trusted are places of the status, which RBAC leaves to the operator alone, where a schema cannot or does not say all that
// Go asks for.
var trusted = map[string]string{
	"status.attempts.[].createTime":           "format date-time lets any list through, and 10:00:00z: an old mistake of the API server",
	"status.oldestPending":                    "the same",
	"status.conditions.[].lastTransitionTime": "the same",
}

// What the schema accepts, Go must be able to decode. The test asks the API server: it puts each hostile value into one
// place of each sort. Two places are of one sort when their Go types and their schemas treat values alike.
func TestWhatTheSchemaAcceptsGoCanDecode(t *testing.T) {
	types := map[string]reflect.Type{
		"Test": reflect.TypeFor[v1alpha1.Test](), "TestRun": reflect.TypeFor[v1alpha1.TestRun](), "TestQueue": reflect.TypeFor[v1alpha1.TestQueue](),
		"JobTable": reflect.TypeFor[v1alpha1.JobTable](),
	}
	stored := map[string]map[string]any{"TestRun": stored(t, "TestRun", ref("")), "TestQueue": stored(t, "TestQueue", "{}"), "JobTable": stored(t, "JobTable", jobTable)}
	stored["JobTable"]["status"] = map[string]any{"conditions": []any{map[string]any{
		"type": "Ready", "status": "True", "reason": "Working", "message": "All is well", "lastTransitionTime": "2026-01-31T10:00:00Z",
	}}}
	for kind, crd := range crds(t) {
		root := *schema(crd)
		sorts := map[string][][]string{}
		collect(t, nil, root, types[kind], sorts)
		for _, sort := range slices.Sorted(maps.Keys(sorts)) {
			t.Run(kind+"/"+strings.Join(sorts[sort][0], "."), func(t *testing.T) {
				t.Parallel()
				for _, path := range sorts[sort] {
					accepted, broken := attack(t, root, baseObject(kind, path, stored[kind]), path)
					if reason := trusted[strings.Join(path, ".")]; reason != "" && len(broken) > 0 {
						t.Skipf("%s: %d values are accepted and not decodable, first %s", reason, len(broken), broken[0])
					}
					for _, failure := range broken {
						t.Error("accepted, and not decodable:", failure)
					}
					if accepted > 0 {
						return
					}
				}
				t.Errorf("none of %d values got through in any of %v: nothing is proven", len(hostileValues), sorts[sort])
			})
		}
	}
}

// attack puts each hostile value at the path and returns how many of them the API server accepts, and those that Go then
// cannot decode.
func attack(t *testing.T, root apiextensionsv1.JSONSchemaProps, base map[string]any, path []string) (accepted int, broken []string) {
	t.Helper()
	decoder := serializer.NewCodecFactory(apiserver.Scheme).UniversalDeserializer()
	client := rawClient(t)
	for _, value := range hostileValues {
		request := client.Post().Resource(strings.ToLower(base["kind"].(string)) + "s")
		if path[0] == "status" {
			request = client.Put().Resource(strings.ToLower(base["kind"].(string)) + "s").Name(storedName).SubResource("status")
		}
		if base["kind"] != "TestQueue" {
			request = request.Namespace(metav1.NamespaceDefault)
		}
		stored, err := request.Param("dryRun", metav1.DryRunAll).
			SetHeader("Content-Type", "application/json").Body(hostileObject(t, root, base, path, value)).DoRaw(t.Context())
		if err != nil {
			continue
		}
		accepted++
		if _, _, err := decoder.Decode(stored, nil, nil); err != nil {
			broken = append(broken, fmt.Sprintf("%s = %.60s: %.200v", strings.Join(path, "."), value, err))
		}
	}
	return accepted, broken
}

// rawClient sends and receives bytes: a typed client could not even say what is to be tried.
func rawClient(t *testing.T) rest.Interface {
	t.Helper()
	config := rest.CopyConfig(apiserver.Config)
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(apiserver.Scheme).WithoutConversion()
	config.WarningHandler = rest.NoWarnings{}
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

const storedName = "hostile-status"

// stored makes the object whose status is attacked.
func stored(t *testing.T, kind, spec string) map[string]any {
	t.Helper()
	obj := object(t, kind, spec)
	obj.SetName(storedName)
	if err := apiserver.Client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	return obj.Object
}

func baseObject(kind string, path []string, stored map[string]any) map[string]any {
	definition := map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "test"}}}}}
	base := map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       kind,
		"metadata":   map[string]any{"generateName": "hostile-"},
	}
	switch {
	case path[0] == "status":
		return stored
	case kind == "Test":
		base["spec"] = definition
	case kind == "TestQueue":
		base["spec"] = map[string]any{}
	case kind == "JobTable":
		base["spec"] = map[string]any{
			"database": "shop", "table": "job", "columns": map[string]any{"id": "id", "status": "status"},
			"run": map[string]any{"testRef": map[string]any{"name": "unit"}},
		}
	case len(path) > 1 && path[1] == "testSpec":
		base["spec"] = map[string]any{"testSpec": definition}
	default:
		base["spec"] = map[string]any{"testRef": map[string]any{"name": "unit"}}
	}
	return base
}

// hostileObject returns the base with the value at the path. What the schema requires on the way there is filled in.
func hostileObject(t *testing.T, root apiextensionsv1.JSONSchemaProps, base map[string]any, path []string, value string) []byte {
	t.Helper()
	const placeholder = "the hostile value"
	body, err := json.Marshal(put(runtime.DeepCopyJSON(base), root, path, placeholder))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(body, []byte(strconv.Quote(placeholder)), []byte(value), 1)
}

func put(current any, node apiextensionsv1.JSONSchemaProps, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if current == nil {
		current = minimal(node)
	}
	switch key := path[0]; key {
	case "[]":
		list := current.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		list[0] = put(list[0], *node.Items.Schema, path[1:], value)
		return list
	case "{}":
		current.(map[string]any)["a"] = put(nil, *node.AdditionalProperties.Schema, path[1:], value)
	default:
		object := current.(map[string]any)
		object[key] = put(object[key], node.Properties[key], path[1:], value)
	}
	return current
}

// minimal returns the least that the schema accepts, nearly: it guesses where a pattern or a CEL rule has a say.
func minimal(node apiextensionsv1.JSONSchemaProps) any {
	switch {
	case len(node.Enum) > 0:
		return strings.Trim(string(node.Enum[0].Raw), `"`)
	case node.XIntOrString, node.Type == "integer":
		return int64(1)
	case node.Type == "boolean":
		return true
	case node.Type == "array":
		return []any{}
	case node.Type == "object":
		object := map[string]any{}
		for _, name := range node.Required {
			object[name] = minimal(node.Properties[name])
		}
		return object
	}
	return strings.Repeat("a", int(max(1, ptr.Deref(node.MinLength, 1))))
}

// collect walks schema and Go type side by side and groups the paths by sort. In a path, [] is an item and {} an entry.
func collect(t *testing.T, path []string, node apiextensionsv1.JSONSchemaProps, goType reflect.Type, sorts map[string][][]string) {
	t.Helper()
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	if len(path) == 1 && path[0] != "spec" && path[0] != "status" {
		return
	}
	if len(path) > 0 {
		s := sortOf(node, goType)
		sorts[s] = append(sorts[s], slices.Clone(path))
	}
	switch {
	case len(node.Properties) > 0:
		fields := jsonFields(goType)
		for _, name := range slices.Sorted(maps.Keys(node.Properties)) {
			if fields[name] == nil && len(path) > 0 {
				t.Errorf("%s has no field %s: regenerate the CRDs", goType, name)
			} else if fields[name] != nil {
				collect(t, append(path, name), node.Properties[name], fields[name], sorts)
			}
		}
	case node.Items != nil:
		collect(t, append(path, "[]"), *node.Items.Schema, goType.Elem(), sorts)
	case node.AdditionalProperties != nil:
		collect(t, append(path, "{}"), *node.AdditionalProperties.Schema, goType.Elem(), sorts)
	}
}

func sortOf(node apiextensionsv1.JSONSchemaProps, goType reflect.Type) string {
	decodes := goType.Kind().String()
	if custom := reflect.TypeFor[json.Unmarshaler](); reflect.PointerTo(goType).Implements(custom) {
		decodes = goType.String()
	}
	var rules []string
	if node.Type != "object" {
		for _, rule := range node.XValidations {
			rules = append(rules, rule.Rule)
		}
	}
	return fmt.Sprint(decodes, " ", node.Type, node.Format, node.Pattern, node.Nullable, node.XIntOrString, node.Minimum != nil, node.Maximum != nil, len(node.Enum) > 0, rules)
}

func jsonFields(goType reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for field := range goType.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && (field.Anonymous || strings.Contains(options, "inline")) {
			maps.Copy(fields, jsonFields(field.Type))
			continue
		}
		fields[name] = field.Type
	}
	return fields
}
