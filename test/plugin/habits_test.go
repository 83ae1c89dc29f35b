package plugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// lists checks which runs a list has, by their names in order and with spaces between them.
func (p *person) lists(t *testing.T, want string, args ...string) {
	t.Helper()
	got := p.types(append([]string{"list", "-o", "name"}, args...)...).expect(t, 0)
	names := strings.Fields(strings.ReplaceAll(got.out, "testrun.testrun.dev/", ""))
	slices.Sort(names)
	if strings.Join(names, " ") != want {
		t.Errorf("list %s has %q, want %q", strings.Join(args, " "), names, want)
	}
}

func TestNamesAreTakenAsKubectlPrintsThem(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada", "testrun-starter", "testrun-queue-editor*")
	w.finish("first", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	queue := w.queue(v1alpha1.TestQueueSpec{})
	for _, name := range []string{"first", "testrun/first", "testruns/first", "trun/first", "testrun.testrun.dev/first", "testruns.v1alpha1.testrun.dev/first", "TestRun/first"} {
		ada.types("wait", name).expect(t, 0, "first: Passed")
	}
	for _, args := range []string{
		"why testrun/first", "results testrun/first", "pin testrun/first", "watch testrun/first", "list testrun/first",
		"run test/checkout", "run test.testrun.dev/checkout", "queue top testqueue.testrun.dev/" + queue, "queue pause tq/" + queue,
	} {
		ada.types(strings.Fields(args)...).expect(t, 0)
	}
	created := ada.types("run", "checkout", "-o", "name").expect(t, 0)
	ada.types("cancel", strings.TrimSpace(created.out)).expect(t, 0, " is being cancelled\n")
	ada.types("cancel", strings.TrimSpace(created.out)).expect(t, 0, " is being cancelled already\n")
}

// Whoever may not ask the operator is told who came first.
func TestTheObjectsSayWhoWaitsInTheOrderOfTheirCreation(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada", "testrun-starter", "testrun-queue-viewer*")
	queue := w.queue(v1alpha1.TestQueueSpec{})
	w.Create(builders.TestRun("first").Waiting(queue).Build())
	created := w.Run("first").CreationTimestamp.Unix()
	w.WaitFor("the next run is a second younger", func() bool { return time.Now().Unix() > created })
	w.Create(builders.TestRun("a-second").Waiting(queue).Build())
	listed := ada.types("queue", "top", queue).expect(t, 0, "POSITION")
	if strings.Index(listed.out, " first ") > strings.Index(listed.out, " a-second ") {
		t.Errorf("who came first is not first:\n%s", listed.out)
	}
}

func TestRunsAreSelectedAsKubectlSelectsThem(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	w.Create(builders.TestRun("first").Of("checkout").Build())
	w.Create(builders.TestRun("other").Of("soak").Build())
	w.Create(builders.TestRun("again").RerunOf("first").Build())
	again := w.Run("again")
	again.Status.Test = "checkout" // as the operator writes it
	w.Must(w.Client.Status().Update(w.Ctx, again))
	w.finish("over", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)

	ada.lists(t, "again first", "--test=checkout")
	ada.lists(t, "over", "--field-selector=status.verdict=Failed")
	ada.lists(t, "again", "--field-selector", "spec.rerunOf.name=first")
	ada.lists(t, "other over", "other", "testrun/over")
	ada.lists(t, "again first other", "--field-selector=status.phase!=Finished", "--state=Pending")
	ada.types("list", "over", "-o", "jsonpath={.status.verdict}").expect(t, 0, "Failed")
	ada.types("list", "-o", `go-template={{range .items}}<{{.metadata.name}}>{{end}}`).expect(t, 0, "<over>", "<first>")
	var one v1alpha1.TestRun
	if err := json.Unmarshal([]byte(ada.types("get", "over", "-o", "json").out), &one); err != nil || one.Kind != "TestRun" || one.Name != "over" {
		t.Errorf("a run that is named is printed as %s %s: %v", one.Kind, one.Name, err)
	}
	ada.types("list", "-w", "over").expect(t, 0, "over: Failed")
}

// What is printed one after another can be read as what it was.
func TestSeveralObjectsAreSeparated(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	w.Create(builders.TestRun("one").Build())
	w.Create(builders.TestRun("two").Build())
	printed := ada.types("pin", "one", "two", "-o", "yaml").expect(t, 0)
	documents := strings.Split(printed.out, "\n---\n")
	if len(documents) != 2 {
		t.Fatalf("two runs are printed as %d documents:\n%s", len(documents), printed.out)
	}
	for i, name := range []string{"one", "two"} {
		var run v1alpha1.TestRun
		if err := yaml.Unmarshal([]byte(documents[i]), &run); err != nil || run.Name != name {
			t.Errorf("document %d is of %q, want %s: %v", i, run.Name, name, err)
		}
	}
	ada.types("cancel", "nobody", "noone").expect(t, 11).says(t, `error: there is no run "nobody"`, "\nerror: there is no run \"noone\"")
}

func TestWhoWaitsAndWantsTheObjectGetsItAtItsEnd(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	printed := ada.types("run", "checkout", "--name=bad", "--wait", "-o", "json").expect(t, 1).says(t, "bad: Failed")
	var run v1alpha1.TestRun
	if err := json.Unmarshal([]byte(printed.out), &run); err != nil || run.Status.Verdict != v1alpha1.VerdictFailed {
		t.Errorf("it printed %s: %v", printed.out, err)
	}
	if named := ada.types("run", "checkout", "--name=worse", "--wait", "-o", "name").expect(t, 1); named.out != "testrun.testrun.dev/worse\n" {
		t.Errorf("-o name printed %q", named.out)
	}
}

// What is said to be typed next asks the same cluster and namespace.
func TestWhatIsTypedNextAsksTheSameCluster(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	ada.types("run", "checkout", "--name=one").expect(t, 0).says(t, "kubectl testrun wait one waits")
	ada.types("run", "checkout", "--name=two", "--context=test", "-n", w.Namespace).expect(t, 0).
		says(t, "kubectl testrun wait two -n "+w.Namespace+" --context=test waits")
	ada.types("run", "checkout", "--name=three", "--kubeconfig="+ada.kubeconfig).expect(t, 0).
		says(t, "kubectl testrun wait three --kubeconfig="+ada.kubeconfig+" waits")
	folder := filepath.Join(t.TempDir(), "Ada's files")
	w.Must(os.CopyFS(folder, os.DirFS(filepath.Dir(ada.kubeconfig))))
	ada.types("run", "checkout", "--name=four", "--kubeconfig="+folder+"/kubeconfig").expect(t, 0).
		says(t, "kubectl testrun wait four --kubeconfig='"+filepath.Dir(folder)+`/Ada'\''s files/kubeconfig' waits`)
}

func TestNoFilesAreOfferedWhereNamesAreMeant(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	for _, words := range []string{"version ", "run checkout --name ", "run checkout --label ", "list -l ", "wait --timeout ", "queue top --output "} {
		if got := ada.types(append([]string{"__complete"}, strings.Split(words, " ")...)...); !strings.HasSuffix(strings.TrimSpace(got.out), ":4") {
			t.Errorf("after %q a shell is told %q, want that it offers no files (:4)", words, got.out)
		}
	}
	if got := ada.types("__complete", "list", "--archive-ca", ""); !strings.Contains(got.out, ":0") && !strings.Contains(got.out, ":8") {
		t.Errorf("a file cannot be completed: %q", got.out)
	}
}

func TestNothingIsSaidOfRequestsUnlessAskedFor(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	if quiet := ada.types("list").expect(t, 0); strings.Contains(quiet.err, "GET") || strings.Count(quiet.err, "\n") != 1 {
		t.Errorf("it says\n%s", quiet.err)
	}
	ada.types("list", "-v", "8").expect(t, 0).says(t, "GET", "/testruns")
}
