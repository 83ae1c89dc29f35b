package testrun

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// What is read of Kueue's Workloads. Its Go module is not used for that: it brings half of Kubernetes.
var workloadKind = schema.GroupVersionKind{Group: "kueue.x-k8s.io", Version: "v1beta2", Kind: "Workload"}

const (
	// labelJobUID is on each Workload.
	labelJobUID = v1alpha1.KueuePrefix + "job-uid"

	workloadQuotaReserved = "QuotaReserved"
	workloadAdmitted      = "Admitted"
	workloadFinished      = "Finished"
)

// workload is what Kueue says of a Job.
type workload struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Active *bool `json:"active"`
	} `json:"spec"`
	Status struct {
		Conditions      []metav1.Condition `json:"conditions"`
		AdmissionChecks []admissionCheck   `json:"admissionChecks"`
	} `json:"status"`

	// Unreadable says that the operator has no right to read it. Exported, because the converter sets every field.
	Unreadable bool `json:"-"`
}

type admissionCheck struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Message string `json:"message"`
}

// readWorkload asks what Kueue says of the Job; nil if it says nothing. The right to ask is optional: see config/kueue.
func (r *Reconciler) readWorkload(ctx context.Context, job *batchv1.Job) (*workload, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(workloadKind)
	err := r.APIReader.List(ctx, list, client.InNamespace(job.Namespace), client.MatchingLabels{labelJobUID: string(job.UID)})
	switch {
	case apierrors.IsForbidden(err):
		return &workload{Unreadable: true}, nil
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading Kueue's Workload of the Job: %w", err)
	}
	for i := range list.Items {
		if !metav1.IsControlledBy(&list.Items[i], job) {
			continue
		}
		return workloadOf(&list.Items[i])
	}
	return nil, nil
}

func workloadOf(object *unstructured.Unstructured) (*workload, error) {
	found := &workload{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, found); err != nil {
		return nil, fmt.Errorf("reading Kueue's Workload %s: %w", object.GetName(), err)
	}
	return found, nil
}

// says is why Kueue has not admitted the Job, in its own words; empty if it has not said so.
func (w *workload) says() string {
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
func (w *workload) holdsQuota() bool {
	return w != nil && meta.IsStatusConditionTrue(w.Status.Conditions, workloadQuotaReserved)
}

// refusal is why Kueue will never admit the Job again; empty if it may.
func (w *workload) refusal() string {
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
