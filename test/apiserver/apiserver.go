// Package apiserver runs a real kube-apiserver and etcd for the tests of a package.
package apiserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Config reaches the API server; Client too, without a cache. Both are set while Run runs the tests.
var (
	Config *rest.Config
	Client client.WithWatch
)

// Arguments are further ones of the API server, by their names without dashes. They are set before Run.
var Arguments = map[string]string{}

// KubeConfig is the administrator's, for programs. It is set while Run runs the tests.
var KubeConfig []byte

// Scheme knows the types of Kubernetes and of TestRun.
var Scheme = func() *k8sruntime.Scheme {
	scheme := k8sruntime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}()

// Tests are what runs beside the API server: *testing.M, for one.
type Tests interface{ Run() int }

// Run starts the API server with the project's CRDs and the given companions, runs the tests and stops all again. It is
// for TestMain.
func Run(m Tests, companions ...Companion) int {
	root := repositoryRoot()
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets(root),
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	// Room for tests that fill etcd, beyond its default of 2 GiB.
	environment.ControlPlane.Etcd = &envtest.Etcd{}
	environment.ControlPlane.Etcd.Configure().Set("quota-backend-bytes", "8589934592")
	for name, value := range Arguments {
		environment.ControlPlane.GetAPIServer().Configure().Set(name, value)
	}
	config, err := environment.Start()
	if err != nil {
		_ = environment.Stop() // it may have started, and then not taken the CRDs
		fmt.Fprintf(os.Stderr, "The API server did not start. `make test` builds it when it is missing. %v\n", err)
		return 1
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "Stopping the API server:", err)
		}
	}()
	config.QPS = -1
	Config, KubeConfig = config, environment.KubeConfig
	if Client, err = client.NewWithWatch(config, client.Options{Scheme: Scheme}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return withCompanions(m, environment, companions)
}

// Bare starts an API server for one test, in which nobody has installed anything, not even the CRDs.
func Bare(t *testing.T) *envtest.Environment {
	t.Helper()
	environment := &envtest.Environment{BinaryAssetsDirectory: assets(repositoryRoot())}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	if _, err := environment.Start(); err != nil {
		t.Fatalf("The API server did not start. `make test` builds it when it is missing. %v", err)
	}
	environment.Config.QPS = -1
	return environment
}

// Companion starts a program beside the API server and returns what stops it.
type Companion func(*envtest.Environment) (stop func(), err error)

func withCompanions(m Tests, environment *envtest.Environment, companions []Companion) int {
	if len(companions) == 0 {
		return m.Run()
	}
	stop, err := companions[0](environment)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	return withCompanions(m, environment, companions[1:])
}

// Namespace makes a namespace for one test.
func Namespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := Client.Create(context.Background(), namespace); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	return namespace.Name
}

func repositoryRoot() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func assets(root string) string {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	return filepath.Join(root, "bin", "k8s")
}
