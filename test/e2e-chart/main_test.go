// Package chart installs the Helm chart on a real cluster, over the deployment of kustomize that `make cluster-deploy` has made, and takes it
// through the life of a release. `make test-chart` runs it on the local cluster. It leaves nothing of TestRun but the CRDs.
package chart

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// cluster is the client of the tests; set by TestMain.
var cluster client.WithWatch

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "The test of the chart needs a cluster with the operator in it; `make test-chart` sees to that.", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
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
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	cluster, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	return err
}
