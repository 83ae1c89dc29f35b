package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// What the guides show in YAML is what the API server accepts.
func TestTheObjectsInTheGuidesAreAccepted(t *testing.T) {
	found := 0
	for _, path := range guides(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```|<<EOF\n(.*?)\nEOF").FindAllStringSubmatch(string(text), -1) {
			for _, document := range strings.Split(block[1]+block[2], "\n---\n") {
				obj := &unstructured.Unstructured{}
				if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
					t.Fatalf("%s: %v\n%s", path, err, document)
				}
				obj.SetNamespace(metav1.NamespaceDefault)
				if err := apiserver.Client.Create(t.Context(), obj, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
					t.Errorf("%s: %v\n%s", path, err, document)
				}
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no YAML found in the guides")
	}
}

// What the page on troubleshooting has people type works, as far as an API server alone can tell: what asks for the operator's pod
// needs one.
func TestTheCommandsOfTroubleshootingWork(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	run := object(t, "TestRun", "testSpec: {POD}")
	if err := apiserver.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, line := range regexp.MustCompile(`(?m)^\s*kubectl (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(line[1], "-n testrun-system") {
			continue
		}
		found++
		var args []string
		for _, arg := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(strings.ReplaceAll(line[1], "NAME", run.GetName()), -1) {
			args = append(args, strings.ReplaceAll(arg, "'", ""))
		}
		if out, err := apiserver.Kubectl(t, "", args...); err != nil {
			t.Errorf("kubectl %s: %v\n%s", line[1], err, out)
		}
	}
	if found == 0 {
		t.Error("no commands found")
	}
}

func guides(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(paths, "../../README.md")
}
