package release

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// project is a repository that is small enough to be released in seconds, and has all that a release is made of.
var project = map[string]string{
	"go.mod":                            "module example.com/small\n\ngo 1.26\n",
	"LICENSE":                           "as you like\n",
	"cmd/manager/main.go":               "package main\n\nvar version = \"dev\"\n\nfunc main() { println(\"manager \" + version) }\n",
	"cmd/runner/main.go":                "package main\n\nvar version = \"dev\"\n\nfunc main() { println(version) }\n",
	"cmd/kubectl-testrun/main.go":       "package main\n\nvar version = \"dev\"\n\nfunc main() { println(version) }\n",
	"config/default/kustomization.yaml": "resources: [pod.yaml]\n",
	"config/default/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: manager}\nspec:\n  containers:\n  - name: manager\n" +
		"    image: testrun.invalid/testrun:dev\n    args: [--runner-image=testrun.invalid/runner:dev]\n",
	"config/jobtable/kustomization.yaml": "resources: [../default]\n",
	"config/archive/kustomization.yaml":  "resources: [../default]\n",
	"charts/testrun/Chart.yaml":          "apiVersion: v2\nname: testrun\nversion: 0.0.0 # replaced\nappVersion: dev\n",
	"charts/testrun/values.yaml": "# Whose image.\nimage:\n  repository: testrun.invalid/testrun # the operator's\n  tag: dev\n  digest: \"\"\n" +
		"runner:\n  image: {repository: other/runner}\n  own:\n    digest: ''\n    tag: 'dev'\n    repository: testrun.invalid/runner\n",
	"charts/testrun/templates/pod.yaml": "image: {{ .Values.image.repository }}\n",
	".gitignore":                        "/bin/\n/dist/\n/dist.new/\n",
}

var shared struct {
	once   sync.Once
	folder string
}

func TestMain(m *testing.M) {
	var err error
	if shared.folder, err = os.MkdirTemp("", "released-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(shared.folder)
	os.Exit(status)
}

// released is the root of a project with a release in dist/. It is made once: who wants to change it copies it.
func released(t *testing.T) string {
	t.Helper()
	shared.once.Do(func() {
		root := newProjectIn(t, filepath.Join(shared.folder, "here"))
		options, _ := optionsFor(root)
		if err := Build(t.Context(), options); err != nil {
			t.Fatal(err)
		}
	})
	root := filepath.Join(shared.folder, "here")
	if !exists(filepath.Join(root, "dist")) {
		t.Fatal("the release could not be made: see the first test that failed")
	}
	return root
}

// newProject makes the repository, with one commit. It uses the tools that are built in this one.
func newProject(t *testing.T, folder string) string {
	t.Helper()
	return newProjectIn(t, filepath.Join(t.TempDir(), folder))
}

func newProjectIn(t *testing.T, root string) string {
	t.Helper()
	for name, content := range project {
		writeFile(t, filepath.Join(root, name), content)
	}
	tools, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "bin", "tools"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"kustomize", "cyclonedx-gomod"} {
		if _, err := os.Stat(filepath.Join(tools, tool)); err != nil {
			t.Fatalf("the tool %s is not built (%v): make bin/tools/%s", tool, err, tool)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools, filepath.Join(root, "bin", "tools")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."}, {"commit", "--quiet", "--message=Begin"}} {
		runGit(t, root, args...)
	}
	return root
}

// runGit runs git as somebody, at a time that is always the same.
func runGit(t *testing.T, root string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, parts ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// optionsFor are those of a release of the project.
func optionsFor(root string) (Options, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return Options{
		Root: root, Output: filepath.Join(root, "dist"), Version: "v1.2.3", Registry: "registry.example.com/small",
		Programs: []string{"manager", "runner"}, Out: out,
	}, out
}
