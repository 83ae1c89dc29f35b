package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Kubectl runs the real one as the administrator, with the text as its standard input, and returns all that it prints.
func Kubectl(t *testing.T, stdin string, args ...string) (output string, err error) {
	t.Helper()
	home := t.TempDir()
	kubeconfig := filepath.Join(home, "kubeconfig")
	if err := os.WriteFile(kubeconfig, KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(assets(repositoryRoot()), "kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+home)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	return string(out), err
}
