package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// digestOf is the digest that the release gives to the image of a program.
func digestOf(t *testing.T, program string) string {
	t.Helper()
	var description struct {
		Images []struct{ Program, Digest string }
	}
	content, err := os.ReadFile(filepath.Join(shop.dist, "release.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &description); err != nil {
		t.Fatal(err)
	}
	for _, image := range description.Images {
		if image.Program == program {
			return image.Digest
		}
	}
	t.Fatalf("the release has no image of the %s", program)
	return ""
}

// block finds a block of code in the README by its language and a text in it.
func block(t *testing.T, language, text string) string {
	t.Helper()
	readme, err := os.ReadFile(fromRoot("README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(match[1], text) {
			return match[1]
		}
	}
	t.Fatalf("the README has no block of %s with %q in it", language, text)
	return ""
}

func TestTheThreeCommandsOfTheReadmeLeadFromNothingToAVerdict(t *testing.T) {
	fromNothing(t, false)
	p := newPlace(t, "newcomer")
	commands := block(t, "sh", "helm install")
	if got := strings.Count(strings.TrimSpace(strings.ReplaceAll(commands, "\\\n", "")), "\n") + 1; got != 3 {
		t.Errorf("the README has %d commands, want three:\n%s", got, commands)
	}
	commands = strings.ReplaceAll(commands, "registry.example.com", shop.host)
	if shop.dirty {
		// Helm takes a version that ends in -dirty for one that is not finished.
		commands = strings.ReplaceAll(commands, "helm install", "helm install --devel")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "testrun.yaml"), []byte(block(t, "yaml", "kind: TestRun")), 0o600); err != nil {
		t.Fatal(err)
	}
	out := p.must("bash", "-euxc", "cd '"+folder+"'\n"+commands)
	if !strings.Contains(out, "condition met") {
		t.Errorf("the commands print\n%s\nwant the verdict", out)
	}
	if verdict := p.must("kubectl", "get", "testruns", "-o", "jsonpath={.items[*].status.verdict}"); verdict != "Passed" {
		t.Errorf("the verdict is %q, want Passed", verdict)
	}
	p.expectPulled("testrun-system", "app.kubernetes.io/component=controller-manager", "manager", digestOf(t, "manager"))
	if shop.pulls("testrun/runner") == 0 {
		t.Error("nobody has asked the registry for the image of the runner")
	}
}

func TestTheManifestInstallsTheOperatorByDigest(t *testing.T) {
	fromNothing(t, false)
	p := newPlace(t, "plain")
	p.must("kubectl", "apply", "-f", filepath.Join(shop.dist, "install.yaml"))
	p.must("kubectl", "-n", "testrun-system", "rollout", "status", "deployment", "--timeout=90s")
	p.apply(block(t, "yaml", "kind: TestRun"))
	p.must("kubectl", "wait", "--for=jsonpath={.status.verdict}=Passed", "--timeout=90s", "testrun", "--all")
	p.expectPulled("testrun-system", "app.kubernetes.io/component=controller-manager", "manager", digestOf(t, "manager"))
}
