// Package newrun makes the TestRuns that people create with the plugin and on the page: what a rerun takes over, what it is called, and what is
// sent.
package newrun

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	// EndLength is how many characters the end of a name has that makes it unique.
	EndLength = 8
	// maxName is how long the name of a TestRun may be.
	maxName = 58
)

// Repeating is a run that repeats another one, where that one ran.
func Repeating(run *v1alpha1.TestRun) *v1alpha1.TestRun {
	again := &v1alpha1.TestRun{Spec: v1alpha1.TestRunSpec{
		RerunOf: &v1alpha1.RunReference{Name: run.Name},
		Queue:   run.Spec.Queue, Priority: run.Spec.Priority, Concurrency: run.Spec.Concurrency,
	}}
	again.Namespace, again.Labels = run.Namespace, ownLabels(run.Labels)
	again.GenerateName = BaseOf(run.GenerateName, run.Name)
	return again
}

// ownLabels are the labels that people have given to a run: those that programs have set say what is not so of another run.
func ownLabels(labels map[string]string) map[string]string {
	own := map[string]string{}
	for key, value := range labels {
		prefix, _, has := strings.Cut(key, "/")
		if !has || key == v1alpha1.LabelSeries || prefix != v1alpha1.GroupVersion.Group && !strings.HasSuffix(prefix, "k8s.io") {
			own[key] = value
		}
	}
	return own
}

// BaseOf is the generateName of a run that is named after another object: that object's own, or else its name. An end of EndLength fits behind it.
func BaseOf(generateName, name string) string {
	if generateName == "" {
		generateName = name + "-"
	}
	if longest := maxName - EndLength; len(generateName) > longest {
		generateName = strings.TrimRight(generateName[:longest-1], "-.") + "-"
	}
	return generateName
}

// Manifest is a TestRun as it is sent to be created: without a status.
type Manifest struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta    `json:"metadata"`
	Spec            v1alpha1.TestRunSpec `json:"spec"`
}

// ManifestOf is the run as it is sent.
func ManifestOf(run *v1alpha1.TestRun) Manifest {
	return Manifest{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TestRun"}, Metadata: run.ObjectMeta, Spec: run.Spec,
	}
}
