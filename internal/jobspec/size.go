package jobspec

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// maxJob is how large a Job may be, in bytes, with what Kubernetes adds to it and to its pod. etcd takes 1.5 MiB.
const maxJob = 768 << 10

// What Kubernetes adds, in bytes: default values, a container's status, and the managed fields of each client.
const (
	addedPerContainer = 2048
	addedPerVolume    = 512
	addedPerEntry     = 96
	addedPerVariable  = 16 // the encoding of a variable in the Job itself
)

// sizeOfJob is how large the Job of the template and the params would be, in bytes. It is computed before the Job is rendered: each param
// is copied into each container, so a small definition may make a very large Job. See docs/decisions/memory.md.
func sizeOfJob(template corev1.PodTemplateSpec, params []corev1.EnvVar) int {
	containers := len(template.Spec.InitContainers) + len(template.Spec.Containers)
	size := template.Size() + containers*sizeOfParams(params) + len(template.Spec.Volumes)*addedPerVolume
	for _, container := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		entries := len(container.Env) + len(container.VolumeMounts) + len(container.VolumeDevices) + len(container.Ports)
		size += addedPerContainer + entries*addedPerEntry
	}
	return size
}

// sizeOfParams is how many bytes the params take in one container. A $ is written twice: see literal.
func sizeOfParams(params []corev1.EnvVar) int {
	size := 0
	for _, param := range params {
		size += 2*len(param.Name) + len(param.Value) + strings.Count(param.Value, "$") + addedPerVariable + addedPerEntry
	}
	return size
}

func tooLarge(template corev1.PodTemplateSpec, params []corev1.EnvVar, size int) error {
	const kib = 1024
	containers := len(template.Spec.InitContainers) + len(template.Spec.Containers)
	return fmt.Errorf("the Job would take %d KiB with what Kubernetes adds, and may take %d KiB. The template takes %d KiB; the params take %d KiB, "+
		"once in each of %d containers, where each $ counts twice. Put long text into a ConfigMap, or use fewer containers, params or env",
		size/kib, maxJob/kib, template.Size()/kib, containers*sizeOfParams(params)/kib, containers)
}
