// Package v1alpha1 holds the types of the testrun.dev API: Test, a definition of what to run, and TestRun, one execution
// of it. It imports nothing but apimachinery and k8s.io/api, so that other programs can use it at little cost.
//
// +kubebuilder:object:generate=true
// +groupName=testrun.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is testrun.dev/v1alpha1.
	GroupVersion = schema.GroupVersion{Group: "testrun.dev", Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the types of this package.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Test{}, &TestList{}, &TestRun{}, &TestRunList{}, &TestQueue{}, &TestQueueList{}, &JobTable{}, &JobTableList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
