package lifecycle

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

const (
	workloadQuotaReserved = "QuotaReserved"
	workloadAdmitted      = "Admitted"
	workloadFinished      = "Finished"
)

// Workload is what Kueue says of a Job.
type Workload struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Active *bool `json:"active"`
	} `json:"spec"`
	Status struct {
		Conditions      []metav1.Condition `json:"conditions"`
		AdmissionChecks []admissionCheck   `json:"admissionChecks"`
	} `json:"status"`

	// Unreadable says that the operator has no right to read the Workload. It is exported because the converter sets every field.
	Unreadable bool `json:"-"`
}

type admissionCheck struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Message string `json:"message"`
}

// waitMessage is Kueue's message why it has not admitted the Job; empty if there is none.
func (w *Workload) waitMessage() string {
	if w == nil || w.Unreadable {
		return ""
	}
	reserved := meta.FindStatusCondition(w.Status.Conditions, workloadQuotaReserved)
	if reserved != nil && reserved.Status != metav1.ConditionTrue {
		return reserved.Message
	}
	var checks []string
	for _, check := range w.Status.AdmissionChecks {
		if check.State != "Ready" {
			checks = append(checks, strings.TrimSuffix(fmt.Sprintf("admission check %s is %s: %s", check.Name, check.State, check.Message), ": "))
		}
	}
	return strings.Join(checks, "; ")
}

// holdsQuota says whether quota is reserved for the Job.
func (w *Workload) holdsQuota() bool {
	return w != nil && meta.IsStatusConditionTrue(w.Status.Conditions, workloadQuotaReserved)
}

// refusal is why Kueue will never admit the Job again; empty if it still may.
func (w *Workload) refusal() string {
	if w == nil {
		return ""
	}
	if end := meta.FindStatusCondition(w.Status.Conditions, workloadFinished); end != nil && end.Status == metav1.ConditionTrue {
		return fmt.Sprintf("Kueue has finished Workload %s: %s", w.Name, end.Message)
	}
	if ptr.Deref(w.Spec.Active, true) {
		return ""
	}
	why := meta.FindStatusCondition(w.Status.Conditions, "Evicted")
	if why == nil {
		why = meta.FindStatusCondition(w.Status.Conditions, workloadQuotaReserved)
	}
	if why == nil {
		return fmt.Sprintf("Workload %s is deactivated (spec.active is false)", w.Name)
	}
	return fmt.Sprintf("Workload %s is deactivated (spec.active is false): %s", w.Name, why.Message)
}

// WorkloadOf reads what Kueue says from one of its Workloads.
func WorkloadOf(object *unstructured.Unstructured) (*Workload, error) {
	found := &Workload{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, found); err != nil {
		return nil, fmt.Errorf("reading Kueue's Workload %s: %w", object.GetName(), err)
	}
	return found, nil
}
