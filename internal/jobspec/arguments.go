package jobspec

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// What Linux accepts, in bytes: one argument or variable with the zero byte at its end, and all of them together.
const (
	maxArgument  = 128 << 10
	maxArguments = 2 << 20
)

// argumentsTooLong returns an error if a container could never start, because its arguments or variables are larger than Linux accepts once
// each $(NAME) is replaced. The kernel's error would only be in the container's log. Values from ConfigMaps and Secrets are not known here,
// and not counted.
func argumentsTooLong(pod *corev1.PodSpec) error {
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		lengths, total := map[string]int{}, 0
		count := func(what string, length int) error {
			if total += length + 1; length >= maxArgument {
				return fmt.Errorf("container %s: %s would be %d KiB long with what its $(NAME) stand for, and Linux takes less than %d KiB: "+
					"put long text into a file", container.Name, what, length>>10, maxArgument>>10)
			}
			if total > maxArguments {
				return fmt.Errorf("container %s: its arguments and variables would take more than %d KiB together with what their $(NAME) stand for, "+
					"which is all that Linux takes: put long text into a file", container.Name, maxArguments>>10)
			}
			return nil
		}
		for _, variable := range container.Env {
			lengths[variable.Name] = expandedLength(variable.Value, lengths)
			if err := count("the variable "+variable.Name, len(variable.Name)+1+lengths[variable.Name]); err != nil {
				return err
			}
		}
		for _, word := range slices.Concat(container.Command, container.Args) {
			if err := count("an argument", expandedLength(word, lengths)); err != nil {
				return err
			}
		}
	}
	return nil
}

// expandedLength is the length of a text after Kubernetes has replaced each known $(NAME), and $$ by $.
func expandedLength(text string, lengths map[string]int) int {
	length := len(text)
	for _, found := range reference.FindAllString(text, -1) {
		if found == "$$" {
			length--
		} else if known, ok := lengths[strings.Trim(found, "$()")]; ok {
			length += known - len(found)
		}
	}
	return length
}
