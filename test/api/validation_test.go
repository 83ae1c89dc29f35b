package api

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// refusal is what a user gets to read when a spec is not accepted. The good spec differs from the bad one in nothing but
// what the case is about, and is accepted: so the bad one is not refused for another reason.
type refusal struct {
	name string
	good string
	bad  string
	want string
}

func TestABadRunIsRefused(t *testing.T) {
	for _, c := range slices.Concat(runRefusals, boundRunRefusals) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, "TestRun", c)
		})
	}
}

func TestABadTestIsRefused(t *testing.T) {
	for _, c := range testRefusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, "Test", c)
		})
	}
}

// A definition is refused with the same sentences as a Test and inline.
func TestABadDefinitionIsRefused(t *testing.T) {
	for _, c := range slices.Concat(definitionRefusals, boundRefusals) {
		for kind, refusal := range c.inEachKind() {
			t.Run(kind+": "+c.name, func(t *testing.T) {
				t.Parallel()
				checkRefusal(t, kind, refusal)
			})
		}
	}
}

func checkRefusal(t *testing.T, kind string, c refusal) {
	t.Helper()
	sameSentences(t, create(t, object(t, kind, c.good)))
	sameSentences(t, create(t, object(t, kind, c.bad)), c.want)
}

// create returns the complaints about an object. Nothing is stored.
func create(t *testing.T, obj *unstructured.Unstructured) []string {
	t.Helper()
	return complaints(t, apiserver.Client.Create(t.Context(), obj, client.DryRunAll))
}

const (
	runNameTooLong      = `<nil>: Invalid value: the name of a TestRun is at most 58 characters long: its Jobs add the number of the attempt to it, and a Job's name has at most 63`
	queueNameTooLong    = `<nil>: Invalid value: the name of a TestQueue is at most 63 characters long: it becomes a label of the metrics`
	jobTableNameTooLong = `<nil>: Invalid value: the name of a JobTable is at most 63 characters long: it becomes the label testrun.dev/job-table`
	testNameTooLong     = `<nil>: Invalid value: the name of a Test is at most 63 characters long: it becomes the label testrun.dev/test`
)

func TestANameMustLeaveRoomForWhatIsMadeOfIt(t *testing.T) {
	for _, c := range []struct {
		name         string
		kind         string
		objectName   string
		generateName string
		want         []string
	}{
		{"the longest name of a run", "TestRun", strings.Repeat("a", 58), "", nil},
		{"a run's name one too long", "TestRun", strings.Repeat("a", 59), "", []string{runNameTooLong}},
		{"the longest generateName of a run", "TestRun", "", strings.Repeat("a", 53), nil},
		{"a run's generateName one too long", "TestRun", "", strings.Repeat("a", 54), []string{runNameTooLong}},
		{"the longest name of a Test", "Test", strings.Repeat("a", 63), "", nil},
		{"a Test's name one too long", "Test", strings.Repeat("a", 64), "", []string{testNameTooLong}},
		{"the longest name of a TestQueue", "TestQueue", strings.Repeat("a", 63), "", nil},
		{"a TestQueue's name one too long", "TestQueue", strings.Repeat("a", 64), "", []string{queueNameTooLong}},
		{"the longest name of a JobTable", "JobTable", strings.Repeat("a", 63), "", nil},
		{"a JobTable's name one too long", "JobTable", strings.Repeat("a", 64), "", []string{jobTableNameTooLong}},
		// Kubernetes cuts a generated name at 63 characters.
		{"any generateName of a Test", "Test", "", strings.Repeat("a", 200), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := map[string]string{"TestRun": "{testRef: {name: unit}}", "Test": "{POD}", "TestQueue": "{}", "JobTable": jobTable}[c.kind]
			obj := object(t, c.kind, spec)
			obj.SetName(c.objectName)
			obj.SetGenerateName(c.generateName)
			sameSentences(t, create(t, obj), c.want...)
		})
	}
}

const badRunDuration = `status.duration: Invalid value: "a while": must be a duration in whole seconds`

// Only the operator writes a status; yet one that Go cannot read would break the list of all runs.
func TestADurationThatGoCannotReadIsRefused(t *testing.T) {
	run := object(t, "TestRun", ref(""))
	if err := apiserver.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for duration, want := range map[string][]string{"1m3s": nil, "0s": nil, "2400h0m0s": nil, "a while": {badRunDuration}} {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"status": {"duration": "`+duration+`"}}`))
		sameSentences(t, complaints(t, apiserver.Client.Status().Patch(t.Context(), run.DeepCopy(), patch)), want...)
	}
}

// Every CEL rule has a test of its own: what the CRDs say is what the cases expect, and where.
func TestEveryRuleHasACase(t *testing.T) {
	expected := expectedSentences()
	for kind, crd := range crds(t) {
		rules := map[string]bool{}
		collectRules(kind+" ", *schema(crd), rules)
		if len(rules) == 0 {
			t.Errorf("%s: no rules found", kind)
		}
		for rule := range rules {
			if !slices.ContainsFunc(expected, func(sentence string) bool { return strings.HasPrefix(sentence, rule) }) {
				t.Errorf("no case expects the rule %q", rule)
			}
		}
	}
}

// collectRules finds "kind path: message" of every rule of ours: those of the pod template are Kubernetes' own.
func collectRules(path string, node apiextensionsv1.JSONSchemaProps, rules map[string]bool) {
	for _, rule := range node.XValidations {
		message := rule.Message
		if names := regexp.MustCompile(`^'([^']*)'`).FindStringSubmatch(rule.MessageExpression); names != nil {
			message, _, _ = strings.Cut(names[1], "%s") // what follows names the culprit
		}
		rules[strings.Replace(path+rule.FieldPath, " .", " ", 1)+": "+message] = true
	}
	for name, property := range node.Properties {
		if name != "template" {
			collectRules(strings.Replace(path+"."+name, " .", " ", 1), property, rules)
		}
	}
	if node.Items != nil {
		collectRules(path+"[]", *node.Items.Schema, rules)
	}
}

// expectedSentences collects what all cases expect, in the form of collectRules; the names that a sentence ends with may
// follow.
func expectedSentences() []string {
	var expected []string
	add := func(kind, sentence string) {
		sentence = regexp.MustCompile(`^<nil>`).ReplaceAllString(sentence, "")
		sentence = regexp.MustCompile(`^(\S*): Invalid value: ("[^"]*": )?`).ReplaceAllString(sentence, "$1: ")
		expected = append(expected, kind+" "+regexp.MustCompile(`\[\d+\]`).ReplaceAllString(sentence, "[]"))
	}
	for _, c := range slices.Concat(runRefusals, boundRunRefusals) {
		add("TestRun", c.want)
	}
	for _, c := range slices.Concat(definitionRefusals, boundRefusals) {
		for kind, refusal := range c.inEachKind() {
			add(kind, refusal.want)
		}
	}
	for _, c := range queueRefusals {
		add("TestQueue", c.want)
	}
	add("TestQueue", queueNameTooLong)
	for _, c := range jobTableRefusals {
		add("JobTable", c.want)
	}
	for _, sentence := range jobTableChanges {
		add("JobTable", sentence)
	}
	add("JobTable", jobTableNameTooLong)
	for _, c := range changes {
		add("TestRun", c.want)
	}
	add("TestRun", runNameTooLong)
	add("Test", testNameTooLong)
	add("TestRun", badRunDuration)
	return expected
}
