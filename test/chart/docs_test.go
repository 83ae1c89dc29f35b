package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	helmCommand = regexp.MustCompile(`(?m)^ *helm (?:install|upgrade) (?:.*\\\n)*.*$`)
	// ofAnInstall are flags that helm template does not have.
	ofAnInstall = []string{"--take-ownership", "--force-conflicts", "--reset-then-reuse-values", "--wait"}
)

// What the pages have people type sets values that exist, and fit together.
func TestTheCommandsOfThePagesRender(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		filledIn := strings.ReplaceAll(string(text), "…", "registry.example.com/image")
		for _, command := range helmCommand.FindAllString(filledIn, -1) {
			found++
			words, err := exec.CommandContext(t.Context(), "bash", "-c", "helm() { printf '%s\\n' \"${@:4}\"; }\n"+command).Output()
			if err != nil {
				t.Fatalf("%s: %s: %v", page, command, err)
			}
			args := slices.DeleteFunc(strings.Fields(string(words)), func(word string) bool { return slices.Contains(ofAnInstall, word) })
			if objects, _ := template(t, home, append(args, known...)...); len(objects) == 0 {
				t.Errorf("%s: it installs nothing: %s", page, command)
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d commands were found", found)
	}
}

// known has Helm believe that the cluster has what the alerts need.
var known = []string{"--api-versions=monitoring.coreos.com/v1/ServiceMonitor", "--api-versions=monitoring.coreos.com/v1/PrometheusRule"}
