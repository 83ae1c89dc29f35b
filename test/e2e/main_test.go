// Package e2e holds TestRun's promises against a real Kubernetes with a real kubelet, scheduler and container runtime, and
// against the operator that is deployed in it. `make test-e2e` runs it on the local cluster.
//
// A test that stops the deployed operator, or drains the node, must not call t.Parallel: Go runs such tests to their end
// before it lets any parallel test go on, so nobody who needs the operator meets a time without one.
package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/go-logr/logr"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/recorded"
)

// atATime is how many parallel tests run at the same time. Most of what they do is wait.
const atATime = "6"

// cluster is how the tests reach the cluster; set by TestMain.
var cluster struct {
	config    *rest.Config
	client    client.WithWatch
	clientset *kubernetes.Clientset
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "The end-to-end tests need a cluster with the operator in it; `make test-e2e` sees to that.", err)
		os.Exit(1)
	}
	flag.Parse()
	isSet := false
	flag.Visit(func(given *flag.Flag) { isSet = isSet || given.Name == "test.parallel" })
	if !isSet {
		utilruntime.Must(flag.Set("test.parallel", atATime))
	}
	os.Exit(recorded.While(m, func() client.WithWatch { return cluster.client }).Run())
}

// connect asks for KUBECONFIG, so that nobody's current context is taken for a cluster to break things in.
func connect() error {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return errors.New("KUBECONFIG is not set")
	}
	if _, err := exec.LookPath("kubectl"); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme := k8sruntime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	cluster.config = config
	if cluster.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	cluster.clientset, err = kubernetes.NewForConfig(config)
	return err
}

// fromRoot is a path that is given from the root of the repository.
func fromRoot(parts ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "..", ".."}, parts...)...)
}
