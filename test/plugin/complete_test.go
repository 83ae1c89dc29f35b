package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// offers are what a shell offers after these words.
func (p *person) offers(words ...string) []string {
	p.T.Helper()
	got := p.types(append([]string{"__complete"}, words...)...)
	var offered []string
	for _, line := range strings.Split(got.out, "\n") {
		if line != "" && !strings.HasPrefix(line, ":") {
			name, _, _ := strings.Cut(line, "\t")
			offered = append(offered, name)
		}
	}
	return offered
}

func TestNamesCompleteInTheShell(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada", "testrun-starter", "testrun-queue-viewer*")
	queue := w.queue(v1alpha1.TestQueueSpec{})
	w.Create(builders.TestRun("first").Build())
	for words, want := range map[string]string{
		"run ":                              "checkout deploy-check paint soak",
		"run ch":                            "checkout",
		"run checkout -p ":                  "BROWSER= TAGS=",
		"run checkout -p BROWSER=":          "BROWSER=chromium BROWSER=firefox BROWSER=webkit",
		"run checkout -p BROWSER=f":         "BROWSER=firefox",
		"run checkout --queue=" + queue[:6]: "*" + queue,
		"queue pause " + queue:              queue,
		"queue ":                            "pause resume top",
		"why ":                              "first",
		"logs f":                            "first",
		"wait ":                             "first",
		"wait first ":                       "",
		"list --state=P":                    "Pending Passed",
		"list --state=Passed,P":             "Passed,Pending",
		"list -o ":                          "wide json yaml name",
		"list --test=ch":                    "checkout",
		"why first -n ":                     "",
		"why --context=":                    "test",
	} {
		got := ada.offers(strings.Split(words, " ")...)
		joined := strings.Join(got, " ")
		if suffix, among := strings.CutPrefix(want, "*"); among && slices.Contains(got, suffix) {
			continue
		}
		if joined != want {
			t.Errorf("after %q a shell offers %q, want %q", words, joined, want)
		}
	}
}

// kubectl asks a program of that name what to offer: a link to the plugin is one.
func TestKubectlFindsTheCompletionOfThePlugin(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	path, err := program.Path()
	w.Must(err)
	link := filepath.Join(t.TempDir(), "kubectl_complete-testrun")
	w.Must(os.Symlink(path, link))
	cmd := exec.CommandContext(w.Ctx, link, "run", "ch")
	cmd.Env = append(ada.env(), "KUBECONFIG="+ada.kubeconfig, "HOME="+t.TempDir())
	out, err := cmd.Output()
	w.Must(err)
	if !strings.HasPrefix(string(out), "checkout\n") {
		t.Errorf("it offers %q, want checkout", out)
	}
}
