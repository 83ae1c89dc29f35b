package api

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// kubectl apply keeps a copy of the whole CRD in an annotation, and the API server limits an object's annotations.
func TestPlainKubectlApplyCanHoldTheCRDs(t *testing.T) {
	const limit = 256 * 1024
	for _, args := range [][]string{
		{"apply", "--kustomize", "../../config/crd"},
		append([]string{"apply"}, filenames(crdFiles(t))...),
	} {
		if out, err := apiserver.Kubectl(t, "", args...); err != nil {
			t.Fatalf("kubectl %v: %v\n%s", args, err, out)
		}
	}
	for kind, crd := range crds(t) {
		applied := &metav1.PartialObjectMetadata{}
		applied.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		if err := apiserver.Client.Get(t.Context(), client.ObjectKey{Name: crd.Name}, applied); err != nil {
			t.Fatal(err)
		}
		annotation := applied.Annotations["kubectl.kubernetes.io/last-applied-configuration"]
		if size := len(annotation); size == 0 || size >= limit {
			t.Errorf("%s takes %d bytes in kubectl's annotation, limit %d", kind, size, limit)
		}
	}
}

// kubectl explain prints what the schema says: each field of ours is described. The pod template's are not, for they
// would make the CRD too big: `kubectl explain pod` has them.
func TestEveryFieldOfOursIsDescribed(t *testing.T) {
	for kind, crd := range crds(t) {
		for name, property := range schema(crd).Properties {
			if name != "metadata" { // kubectl has a text of its own for it
				checkDescribed(t, kind+"."+name, property)
			}
		}
	}
}

func checkDescribed(t *testing.T, path string, node apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if node.Description == "" {
		t.Errorf("%s has no description", path)
	}
	if node.Items != nil {
		node.Properties = node.Items.Schema.Properties
	}
	for name, property := range node.Properties {
		if strings.HasSuffix(path, ".template") {
			checkNotDescribed(t, path+"."+name, property)
		} else {
			checkDescribed(t, path+"."+name, property)
		}
	}
}

func checkNotDescribed(t *testing.T, path string, node apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if node.Description != "" {
		t.Errorf("%s has a description", path)
	}
	if node.Items != nil {
		checkNotDescribed(t, path+"[]", *node.Items.Schema)
	}
	for name, property := range node.Properties {
		checkNotDescribed(t, path+"."+name, property)
	}
}

func TestKubectlExplainReadsWell(t *testing.T) {
	for field, want := range map[string][]string{
		"testrun":                         {"TestRun is one job: one execution of a Test", "spec\t<Object> -required-"},
		"testrun.spec":                    {"testRef names the Test to run.", "ttlAfterFinished is how long the run is kept", "cancel\t<boolean>"},
		"testrun.status.phase":            {"phase is Pending, InProgress or Finished."},
		"test.spec.params":                {"required means that every run must give a value."},
		"test.spec.template.spec":         {"activeDeadlineSeconds\t<integer>"},
		"trun.spec.testSpec.timeouts.run": {"Unset means 1h."},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			out, err := apiserver.Kubectl(t, "", "explain", field)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			// kubectl breaks lines.
			text := strings.Join(strings.Fields(out), " ")
			for _, sentence := range want {
				if !strings.Contains(text, strings.ReplaceAll(sentence, "\t", " ")) {
					t.Errorf("%q is missing in:\n%s", sentence, out)
				}
			}
		})
	}
}

func filenames(paths []string) []string {
	var args []string
	for _, path := range paths {
		args = append(args, "--filename", path)
	}
	return args
}
