package apiserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// ControllerManager is a companion for Run: the real controllers for Jobs, quotas, garbage and namespaces.
func ControllerManager(environment *envtest.Environment) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "controller-manager-")
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return nil, err
	}
	output, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	manager := exec.Command(controllerManagerBinary(),
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000",
		"--controllers=job-controller,resourcequota-controller,garbage-collector-controller,namespace-controller")
	manager.Stdout, manager.Stderr = output, output
	manager.SysProcAttr = endsWithTests()
	if err := manager.Start(); err != nil {
		return nil, fmt.Errorf("starting kube-controller-manager; `make test` builds it when it is missing: %w", err)
	}
	return func() {
		_ = manager.Process.Kill()
		_ = manager.Wait()
		_ = output.Close()
		_ = os.RemoveAll(dir)
	}, nil
}

// controllerManagerBinary is the one beside the API server, or else the one that make has built: setup-envtest brings none.
func controllerManagerBinary() string {
	beside := filepath.Join(assets(repositoryRoot()), "kube-controller-manager")
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	return filepath.Join(repositoryRoot(), "bin", "k8s", "kube-controller-manager")
}
