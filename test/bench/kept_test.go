package main

import (
	"bytes"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func TestACopyIsAnotherObjectAlsoInProtocolBuffers(t *testing.T) {
	runUID, jobUID := string(uuid.NewUUID()), string(uuid.NewUUID())
	stored, err := (&batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: keptName(0) + "-1", UID: types.UID(jobUID), Labels: map[string]string{v1alpha1.LabelRun: keptName(0)},
		OwnerReferences: []metav1.OwnerReference{{Name: keptName(0), UID: types.UID(runUID)}},
	}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{
		n: 4711, name: keptName(0), uids: []string{runUID, jobUID},
		run: entry{Key: []byte("/runs/" + keptName(0))}, job: entry{Key: []byte("/jobs/" + keptName(0) + "-1"), Value: stored},
	}
	copies := k.next()
	job := &batchv1.Job{}
	if err := job.Unmarshal(copies[1].Value); err != nil {
		t.Fatal(err)
	}
	owner := job.OwnerReferences[0]
	if job.Name != "kept-004711-1" || job.Labels[v1alpha1.LabelRun] != "kept-004711" || owner.Name != "kept-004711" {
		t.Errorf("the copy is named %s, of run %s, owned by %s", job.Name, job.Labels[v1alpha1.LabelRun], owner.Name)
	}
	if string(job.UID) == jobUID || string(owner.UID) == runUID || job.UID == owner.UID || len(job.UID) != len(jobUID) {
		t.Errorf("the copy of %s, owned by %s, is %s, owned by %s", jobUID, runUID, job.UID, owner.UID)
	}
	if got := string(copies[0].Key) + string(copies[1].Key); got != "/runs/kept-004711/jobs/kept-004711-1" {
		t.Errorf("they are stored under %s", got)
	}
	if !bytes.Equal(k.job.Value, stored) {
		t.Error("the original has changed")
	}
}

func TestAsManyPodsAreKeptAsKubernetesKeeps(t *testing.T) {
	k := &kept{n: podsKept - 1, name: keptName(0)}
	if last, next := len(k.next()), len(k.next()); last != 3 || next != 2 {
		t.Errorf("%d objects for the last run with a pod, and %d for the next; want 3 and 2", last, next)
	}
}
