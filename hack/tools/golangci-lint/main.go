// Command golangci-lint is golangci-lint with the Kubernetes API linter (kube-api-linter) built in.
//
// It is what `golangci-lint custom` would generate, kept as source so that go.sum pins every byte of it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/kube-api-linter" // registers the plugin "kubeapilinter"
)

func main() {
	info := commands.BuildInfo{
		GoVersion: runtime.Version(),
		Version:   pinnedVersion("github.com/golangci/golangci-lint/v2"),
		Commit:    "with kube-api-linter " + pinnedVersion("sigs.k8s.io/kube-api-linter"),
		Date:      "(pinned)",
	}
	if err := commands.Execute(info); err != nil {
		fmt.Fprintln(os.Stderr, "golangci-lint:", err)
		os.Exit(exitcodes.Failure)
	}
}

// pinnedVersion is the version of a module that go.mod chose for this program.
func pinnedVersion(module string) string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range build.Deps {
			if dep.Path == module {
				return strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	return "unknown"
}
