package api

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// definition stands for the smallest TestSpec in the YAML of the cases.
const definition = `template: {spec: {containers: [{name: test, image: perl}]}}`

// object makes a Test or TestRun from the YAML of its spec, in which POD is the smallest pod template. It is not made from
// the typed structs: those cannot say what a beginner may write.
func object(t *testing.T, kind, spec string) *unstructured.Unstructured {
	t.Helper()
	var content map[string]any
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(spec, "POD", definition)), &content); err != nil {
		t.Fatalf("the case's YAML: %v\n%s", err, spec)
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	obj.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	if kind != "TestQueue" { // which belongs to no namespace
		obj.SetNamespace(metav1.NamespaceDefault)
	}
	obj.SetGenerateName("case-")
	return obj
}

// complaints returns what the API server says to the user, as "field: sentence". None means that it accepted the object.
func complaints(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil || len(status.ErrStatus.Details.Causes) == 0 {
		t.Fatalf("not a refusal that names its causes: %v", err)
	}
	var found []string
	for _, cause := range status.ErrStatus.Details.Causes {
		// This one only says that CEL was not reached, because the schema had complained.
		if strings.HasSuffix(cause.Message, "correct the existing errors to complete validation") {
			continue
		}
		found = append(found, cause.Field+": "+cause.Message)
	}
	return found
}

func sameSentences(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the API server says:\n\t%s\nwant:\n\t%s",
			cmp.Or(strings.Join(got, "\n\t"), "accepted"), cmp.Or(strings.Join(want, "\n\t"), "accepted"))
	}
}

// crds returns the project's CRDs by kind, as they are shipped.
func crds(t *testing.T) map[string]apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	found := map[string]apiextensionsv1.CustomResourceDefinition{}
	for _, path := range crdFiles(t) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(source, &crd); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[crd.Spec.Names.Kind] = crd
	}
	return found
}

func crdFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no CRDs found: %v", err)
	}
	return paths
}

// schema returns the only version's schema.
func schema(crd apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.JSONSchemaProps {
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}
