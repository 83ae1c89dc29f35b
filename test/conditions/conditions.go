// Package conditions reads what a run's conditions say.
package conditions

import (
	"fmt"

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

// Problems says where the conditions contradict phase, verdict or each other.
func Problems(run *v1alpha1.TestRun) (problems []string) {
	isTrue := func(conditionType string) bool { return Of(run, conditionType).Status == metav1.ConditionTrue }
	for _, phase := range v1alpha1.Phases {
		if isTrue(string(phase)) != (phase == run.Status.Phase) {
			problems = append(problems, fmt.Sprintf("condition %s is %s in phase %s", phase, Of(run, string(phase)).Status, run.Status.Phase))
		}
	}
	over, passed := run.Status.Phase == v1alpha1.PhaseFinished, run.Status.Verdict == v1alpha1.VerdictPassed
	if isTrue(v1alpha1.ConditionSucceeded) != passed || isTrue(v1alpha1.ConditionReconciling) == over || isTrue(v1alpha1.ConditionStalled) != (over && !passed) {
		problems = append(problems, fmt.Sprintf("the conditions contradict %s %s: %+v", run.Status.Phase, run.Status.Verdict, run.Status.Conditions))
	}
	for _, condition := range run.Status.Conditions {
		if condition.LastTransitionTime.Time.Before(run.CreationTimestamp.Time) {
			problems = append(problems, fmt.Sprintf("condition %s changed at %s, before the run existed", condition.Type, condition.LastTransitionTime))
		}
	}
	return problems
}
