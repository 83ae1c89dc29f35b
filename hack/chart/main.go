// Command chart writes what of the Helm chart follows from something else: values.schema.json, files/values.txt and docs/reference/chart.md, from
// values.yaml and the flags of the programs, and copies of the manifests that chart and kustomize share. It is run by make generate, in the root
// of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const chartDir = "charts/testrun"

// shared are the manifests that the chart takes from config/, by their folder below charts/testrun/files.
var shared = map[string][]string{
	"crds": {"config/crd/bases/*.yaml"},
	"rbac": {
		"config/rbac/jobtable_installer.yaml", "config/rbac/leader_election.yaml", "config/rbac/metrics_*.yaml", "config/rbac/queue_*.yaml", "config/rbac/role*.yaml",
		"config/rbac/service_account.yaml", "config/rbac/testrun_*.yaml",
	},
	"server":   {"config/server/role*.yaml", "config/server/status.yaml"},
	"jobtable": {"config/jobtable/role*.yaml", "config/jobtable/service_account.yaml"},
	"kueue":    {"config/kueue/role*.yaml"},
	"policies": {"config/policies/operator.yaml"},
}

// programs have their flags as values.
var programs = []string{"manager", "server", "jobtable"}

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "hack/chart:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for folder := range shared {
		if err := os.RemoveAll(filepath.Join(root, chartDir, "files", folder)); err != nil {
			return err
		}
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // everybody may read it
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // everybody may read it
			return err
		}
	}
	return nil
}

// generate makes all files, by their path from the root of the repository.
func generate(root string) (map[string][]byte, error) {
	files, err := copies(root)
	if err != nil {
		return nil, err
	}
	values, err := readValues(filepath.Join(root, chartDir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	for _, program := range programs {
		flags, err := flagsOf(root, program)
		if err != nil {
			return nil, err
		}
		if err := values.describeFlags(program, flags); err != nil {
			return nil, err
		}
	}
	if files[chartDir+"/values.schema.json"], err = schema(values); err != nil {
		return nil, err
	}
	files[chartDir+"/files/values.txt"] = []byte(strings.Join(needed(values), "\n") + "\n")
	files["docs/reference/chart.md"] = []byte(markdown(values))
	return files, nil
}

func copies(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for folder, patterns := range shared {
		for _, pattern := range patterns {
			paths, err := filepath.Glob(filepath.Join(root, pattern))
			if err != nil {
				return nil, err
			}
			if len(paths) == 0 {
				return nil, fmt.Errorf("there is no file %s any more: say in hack/chart/main.go what the chart shares with config/", pattern)
			}
			for _, path := range paths {
				text, err := os.ReadFile(path)
				if err != nil {
					return nil, err
				}
				files[filepath.Join(chartDir, "files", folder, filepath.Base(path))] = text
			}
		}
	}
	return files, nil
}
