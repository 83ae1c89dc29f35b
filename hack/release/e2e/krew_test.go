package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manifestOfPlugin is the manifest for krew, if there is a plugin to release.
func manifestOfPlugin(t *testing.T) string {
	t.Helper()
	file := filepath.Join(shop.dist, "plugins", "testrun.yaml")
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKrewInstallsThePluginFromAnIndexOfOurOwn(t *testing.T) {
	manifest, err := os.ReadFile(manifestOfPlugin(t))
	if err != nil {
		t.Fatal(err)
	}
	index := t.TempDir()
	if err := os.Mkdir(filepath.Join(index, "plugins"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(index, "plugins", "testrun.yaml"), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	env := []string{"KREW_ROOT=" + root, "KREW_NO_UPGRADE_CHECK=1", "GIT_CONFIG_GLOBAL=/dev/null"}
	must := func(program string, args ...string) string {
		t.Helper()
		out, err := command(env, program, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "."},
		{"-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=Add a version"},
	} {
		must("git", append([]string{"-C", index}, args...)...)
	}
	must("kubectl", "krew", "index", "add", "testrun", "file://"+index)
	must("kubectl", "krew", "install", "testrun/testrun")
	env = append(env, "PATH="+filepath.Join(root, "bin")+":"+fromRoot("bin", "k8s")+":"+os.Getenv("PATH"))
	if out := must("kubectl", "testrun", "version"); !strings.Contains(out, shop.version) {
		t.Errorf("kubectl testrun version prints %q, want %s in it", out, shop.version)
	}
}

func TestKrewTakesTheManifestForEveryPlatform(t *testing.T) {
	// It installs each platform's archive, and looks for a license in it.
	out, err := command([]string{"KREW_NO_UPGRADE_CHECK=1"}, "validate-krew-manifest", "-manifest", manifestOfPlugin(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "all 6 spec.platforms installed fine") {
		t.Errorf("krew says\n%s", out)
	}
}
