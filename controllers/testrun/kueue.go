package testrun

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// readWorkload reads what Kueue says of the Job; nil if it says nothing. The right to read it is optional: see config/kueue.
func (r *Reconciler) readWorkload(ctx context.Context, job *batchv1.Job) (*lifecycle.Workload, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(workloadKind)
	err := r.APIReader.List(ctx, list, client.InNamespace(job.Namespace), client.MatchingLabels{labelJobUID: string(job.UID)})
	switch {
	case apierrors.IsForbidden(err):
		return &lifecycle.Workload{Unreadable: true}, nil
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading Kueue's Workload of the Job: %w", err)
	}
	for i := range list.Items {
		if !metav1.IsControlledBy(&list.Items[i], job) {
			continue
		}
		return lifecycle.WorkloadOf(&list.Items[i])
	}
	return nil, nil
}

// Kueue's Workloads are read without Kueue's Go module, which depends on half of Kubernetes.
var workloadKind = schema.GroupVersionKind{Group: "kueue.x-k8s.io", Version: "v1beta2", Kind: "Workload"}

// labelJobUID is the label of each Workload with the UID of its Job.
const labelJobUID = v1alpha1.KueuePrefix + "job-uid"
