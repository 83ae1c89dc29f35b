// Package conditions reads what a run's conditions say.
package conditions

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Of returns the condition of that type; the zero value if there is none.
func Of(run *v1alpha1.TestRun, conditionType string) metav1.Condition {
	if condition := meta.FindStatusCondition(run.Status.Conditions, conditionType); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}

// Reason says in a word where the run is.
func Reason(run *v1alpha1.TestRun) string { return Of(run, v1alpha1.ConditionSucceeded).Reason }

// Message says where the run is.
func Message(run *v1alpha1.TestRun) string { return Of(run, v1alpha1.ConditionSucceeded).Message }
