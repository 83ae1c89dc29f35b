package gitops

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// actions are the buttons that Argo CD offers for a kind of object.
type actions struct {
	Discovery   string `json:"discovery.lua"`
	Definitions []struct {
		Name   string `json:"name"`
		Action string `json:"action.lua"`
	} `json:"definitions"`
}

func actionsOf(t *testing.T, kind string) actions {
	t.Helper()
	var found actions
	if err := yaml.UnmarshalStrict([]byte(customization(t, "actions", kind)), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// offered are the actions that Argo CD lets people choose for the object, by their names.
func offered(t *testing.T, object *unstructured.Unstructured) []string {
	t.Helper()
	returned, err := execute(t, actionsOf(t, object.GetKind()).Discovery, object.Object)
	if err != nil {
		t.Fatal(err)
	}
	found, ok := returned.(map[string]any)
	if !ok {
		t.Fatalf("the script returns %v, want actions by their names", returned)
	}
	for name, action := range found {
		if action.(map[string]any)["disabled"] == true {
			delete(found, name)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// act does what Argo CD does once somebody has clicked: it patches the object with what the script changed of it, or creates what the script
// made. It returns the object, or the new one.
func act(t *testing.T, object *unstructured.Unstructured, name string) *unstructured.Unstructured {
	t.Helper()
	definitions := actionsOf(t, object.GetKind()).Definitions
	at := slices.IndexFunc(definitions, func(definition struct {
		Name   string `json:"name"`
		Action string `json:"action.lua"`
	},
	) bool {
		return definition.Name == name
	})
	if at < 0 {
		t.Fatalf("%s has no action %s", object.GetKind(), name)
	}
	returned, err := execute(t, definitions[at].Action, object.Object)
	if err != nil {
		t.Fatal(err)
	}
	if list, ok := returned.([]any); ok {
		made := list[0].(map[string]any)
		if made["operation"] != "create" || len(list) != 1 {
			t.Fatalf("the script returns %v, want one object to create", returned)
		}
		created := &unstructured.Unstructured{Object: made["resource"].(map[string]any)}
		if err := apiserver.Client.Create(t.Context(), created, client.FieldValidation("Strict")); err != nil {
			t.Fatal(err)
		}
		return created
	}
	before, after := asJSON(t, object.Object), asJSON(t, mended(returned, object.Object))
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		t.Fatal(err)
	}
	if err := apiserver.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatalf("patching with %s: %v", patch, err)
	}
	return object
}

// mended puts empty objects back where there were some: Lua has one empty table only, and Argo CD makes a list of it. It mends that too.
func mended(after, before any) any {
	switch before := before.(type) {
	case map[string]any:
		if list, ok := after.([]any); ok && len(list) == 0 {
			return before
		}
		object, _ := after.(map[string]any)
		for name := range object {
			object[name] = mended(object[name], before[name])
		}
	case []any:
		list, _ := after.([]any)
		for i := range min(len(list), len(before)) {
			list[i] = mended(list[i], before[i])
		}
	}
	return after
}

func asJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// stored reads an object as Argo CD has it.
func stored(t *testing.T, kind string, object client.Object) *unstructured.Unstructured {
	t.Helper()
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	if err := apiserver.Client.Get(t.Context(), client.ObjectKeyFromObject(object), found); err != nil {
		t.Fatal(err)
	}
	return found
}

// create creates the object in a namespace of the test, and writes its status if that is to be another than that of a new one.
func create(t *testing.T, kind string, object client.Object) *unstructured.Unstructured {
	t.Helper()
	if kind != "TestQueue" {
		object.SetNamespace(apiserver.Namespace(t))
	}
	wanted := object.DeepCopyObject()
	if err := apiserver.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	if run, ok := wanted.(*v1alpha1.TestRun); ok && run.Status.Phase != "" {
		run.ResourceVersion, run.Namespace = object.GetResourceVersion(), object.GetNamespace()
		run.Status.ObservedGeneration = 1
		if err := apiserver.Client.Status().Update(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	return stored(t, kind, object)
}

func expectOffered(t *testing.T, object *unstructured.Unstructured, want ...string) {
	t.Helper()
	if got := offered(t, object); !slices.Equal(got, want) {
		t.Errorf("Argo CD offers %q, want %q", got, want)
	}
}

func TestACancelInArgoCDIsAPatchOfTheSpecAlone(t *testing.T) {
	run := create(t, "TestRun", builders.TestRun("running").Build())
	expectOffered(t, run, "cancel")
	before := run.DeepCopy()
	cancelled := act(t, run, "cancel")
	if cancel, _, _ := unstructured.NestedBool(cancelled.Object, "spec", "cancel"); !cancel || cancelled.GetGeneration() != 2 {
		t.Errorf("the run is %v", cancelled.Object)
	}
	unstructured.RemoveNestedField(cancelled.Object, "spec", "cancel")
	if got, want := asJSON(t, cancelled.Object["spec"]), asJSON(t, before.Object["spec"]); !bytes.Equal(got, want) {
		t.Errorf("the spec is %s now, want %s and cancel", got, want)
	}
	expectOffered(t, act(t, stored(t, "TestRun", run), "cancel"))
}

func TestARerunInArgoCDIsANewRunOfOneThatHasFinished(t *testing.T) {
	for _, name := range []string{"passed", strings.Repeat("x", 58)} {
		run := create(t, "TestRun", builders.TestRun(name).Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed).Build())
		expectOffered(t, run, "rerun")
		rerun := act(t, run, "rerun")
		if of, _, _ := unstructured.NestedString(rerun.Object, "spec", "rerunOf", "name"); of != name {
			t.Errorf("the new run repeats %q, want %q", of, name)
		}
		if again, _, _ := unstructured.NestedBool(stored(t, "TestRun", run).Object, "spec", "cancel"); again {
			t.Error("the old run was changed")
		}
	}
}

func TestARunOfATestInArgoCDBelongsToTheTest(t *testing.T) {
	for _, name := range []string{"suite", strings.Repeat("x", 63)} {
		test := create(t, "Test", builders.Test(name, builders.TestSpec("true")))
		expectOffered(t, test, "run")
		run := act(t, test, "run")
		if of, _, _ := unstructured.NestedString(run.Object, "spec", "testRef", "name"); of != name {
			t.Errorf("the new run executes %q, want %q", of, name)
		}
		if owners := run.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != test.GetUID() {
			t.Errorf("the new run belongs to %v, want the Test", owners)
		}
	}
	spec := builders.TestSpec("true")
	required := true
	spec.Params = []v1alpha1.ParamSpec{{Name: "URL", Required: &required}}
	expectOffered(t, create(t, "Test", builders.Test("asks", spec)))
}

func TestAQueueIsPausedAndResumedInArgoCD(t *testing.T) {
	queue := &v1alpha1.TestQueue{}
	queue.SetGenerateName("gitops-")
	queue.Spec.MaxRunning = 3
	object := create(t, "TestQueue", queue)
	t.Cleanup(func() { _ = apiserver.Client.Delete(context.Background(), object) })
	expectOffered(t, object, "pause")
	paused := act(t, object, "pause")
	if got, _ := health(t, "TestQueue", paused.Object); got != "Suspended" {
		t.Errorf("Argo CD shows the queue as %s", got)
	}
	expectOffered(t, paused, "resume")
	resumed := act(t, paused, "resume")
	if got, _ := health(t, "TestQueue", resumed.Object); got != "Healthy" {
		t.Errorf("Argo CD shows the queue as %s", got)
	}
	if most, _, _ := unstructured.NestedInt64(resumed.Object, "spec", "maxRunning"); most != 3 {
		t.Errorf("maxRunning is %d, want it as it was", most)
	}
}
