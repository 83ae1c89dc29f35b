// Package chart tests the Helm chart: what it renders, beside what kustomize does, and what Helm and the chart say to whoever makes a mistake.
// test/e2e-chart installs it on a real cluster.
package chart

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/testrun-dev/testrun/test/apiserver"
)

const (
	root  = "../.."
	home  = "testrun-system"
	chart = root + "/charts/testrun"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}

// object is one of Kubernetes, as JSON has it.
type object = map[string]any

// tool is a program of bin/tools, which `make test` builds.
func tool(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path := absolute(t, filepath.Join(root, "bin", "tools", name))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: make bin/tools/%s builds it", err, name)
	}
	return exec.CommandContext(context.Background(), path, args...)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// helm runs Helm as the administrator of the API server of the tests.
func helm(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	return helmAs(t, apiserver.KubeConfig, args...)
}

// helmAs runs Helm as somebody, without anything that whoever runs the tests has set up.
func helmAs(t *testing.T, kubeconfig []byte, args ...string) (output string, err error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	command := tool(t, "helm", args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+path, "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	text, err := command.CombinedOutput()
	return string(text), err
}

// template renders the chart without a cluster.
func template(t *testing.T, namespace string, args ...string) (objects map[string]object, text string) {
	t.Helper()
	return templateOf(t, chart, namespace, args...)
}

// templateOf renders the chart of a folder without a cluster.
func templateOf(t *testing.T, folder, namespace string, args ...string) (objects map[string]object, text string) {
	t.Helper()
	command := tool(t, "helm", append([]string{"template", "testrun", folder, "--namespace", namespace}, args...)...)
	var errors bytes.Buffer
	command.Stderr = &errors
	output, err := command.Output()
	if err != nil {
		t.Fatalf("helm template %s: %v\n%s", strings.Join(args, " "), err, errors.String())
	}
	return objectsOf(t, output), string(output)
}

// objectsOf are the objects of a stream of YAML, by kind and name. None is there twice.
func objectsOf(t *testing.T, text []byte) map[string]object {
	t.Helper()
	objects := map[string]object{}
	reader := k8syaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if err != nil {
			return objects
		}
		found := object{}
		if err := yaml.UnmarshalStrict(document, &found); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		if len(found) == 0 {
			continue
		}
		key := keyOf(found)
		if objects[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		objects[key] = found
	}
}

func keyOf(of object) string {
	metadata := of["metadata"].(object)
	namespace, _ := metadata["namespace"].(string)
	return of["kind"].(string) + " " + namespace + "/" + metadata["name"].(string)
}

// at is what an object has at a path: names of fields, or numbers of items.
func at(of any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := of.(object)
			of = fields[step]
		case int:
			items, _ := of.([]any)
			if step >= len(items) {
				return nil
			}
			of = items[step]
		}
	}
	return of
}

func makeNamespace(t *testing.T, name string) {
	t.Helper()
	err := apiserver.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// apply makes an object as kubectl does.
func apply(t *testing.T, of object) {
	t.Helper()
	err := apiserver.Client.Patch(t.Context(), &unstructured.Unstructured{Object: of}, client.Apply, //nolint:staticcheck // it has no type
		client.ForceOwnership, client.FieldOwner("kubectl"))
	if err != nil {
		t.Fatalf("%s: %v", keyOf(of), err)
	}
}

// extensions know CRDs.
func extensions(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return scheme
}
