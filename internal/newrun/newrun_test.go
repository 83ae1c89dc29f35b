package newrun

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/test/builders"
)

func TestARerunTakesOverWhatItsRunAskedForAndTheLabelsOfPeople(t *testing.T) {
	run := builders.TestRun("first-x7k2p").In("shop").Waiting("browsers").Priority(7).Build()
	run.GenerateName = "first-"
	run.Labels = map[string]string{"team": "till", "testrun.dev/series": "s", "testrun.dev/run": "no", "kueue.x-k8s.io/queue-name": "no", "example.com/a": "b"}
	again := Repeating(run)
	if again.Namespace != "shop" || again.GenerateName != "first-" || again.Name != "" {
		t.Errorf("it is called %s in %q, or %s", again.GenerateName, again.Namespace, again.Name)
	}
	if again.Spec.RerunOf.Name != "first-x7k2p" || again.Spec.Queue != "browsers" || *again.Spec.Priority != 7 || again.Spec.TestRef != nil || again.Spec.TestSpec != nil {
		t.Errorf("it asks for %+v", again.Spec)
	}
	if want := map[string]string{"team": "till", "testrun.dev/series": "s", "example.com/a": "b"}; !maps.Equal(again.Labels, want) {
		t.Errorf("its labels are %v, want %v", again.Labels, want)
	}
}

func TestTheNameOfANewRunHasRoomForItsEnd(t *testing.T) {
	for _, test := range []struct{ does, generateName, name, want string }{
		{"it begins with the name", "", "checkout", "checkout-"},
		{"a generateName is kept", "smoke-", "smoke-x7k2p", "smoke-"},
		{"a long name is cut", "", strings.Repeat("x", 58), strings.Repeat("x", 49) + "-"},
		{"what separates words is not doubled", "", strings.Repeat("x", 47) + "--long", strings.Repeat("x", 47) + "-"},
	} {
		if got := BaseOf(test.generateName, test.name); got != test.want || len(got)+EndLength > maxName {
			t.Errorf("%s: %q becomes %q, want %q", test.does, test.generateName+test.name, got, test.want)
		}
	}
}

func TestAManifestHasNoStatus(t *testing.T) {
	run := builders.TestRun("first").Finished("Passed", "TestPassed").Build()
	text, err := json.Marshal(ManifestOf(run))
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]bool{`"status"`: false, `"kind":"TestRun"`: true, `"name":"first"`: true, `"spec"`: true} {
		if strings.Contains(string(text), word) != want {
			t.Errorf("%s has %s: %t, want %t", text, word, !want, want)
		}
	}
}
