package jobspec

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runner"
)

// addEnvironment gives each container of the pod the identity and the params as variables, before those of the template. It leaves the
// identity out of the test's container if the runner can set it: each variable is written about nine times, with its managed fields.
func addEnvironment(pod *corev1.PodSpec, test *corev1.Container, options *runner.Options, params []corev1.EnvVar) {
	identity := variables(options.Identity.Variables())
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			container, ours := &containers[i], slices.Concat(identity, params)
			switch {
			case container != test || options.Format == string(v1alpha1.ResultsNone):
			case runnerCanSetIdentity(test):
				ours = params
			default:
				ours = slices.Concat(variables(folders(*options)), ours)
				if options.Archive == "" { // else the runner tells the server who it is
					options.Identity = runner.Identity{}
				}
			}
			container.Env = withEnv(container.Env, ours)
		}
	}
}

// folders are the variables that name the runner's folders.
func folders(options runner.Options) []runner.Variable {
	var all []runner.Variable
	if options.ReadsFiles() {
		all = append(all, runner.Variable{Name: runner.EnvResults, Value: options.Identity.ResultsDir()})
	}
	if options.Archive != "" {
		all = append(all, runner.Variable{Name: runner.EnvArtifacts, Value: options.Identity.ArtifactsDir()})
	}
	return all
}

// RunUIDIn reads the UID of the run that addEnvironment gave to a pod, as a variable or as an argument of the runner; empty without one.
func RunUIDIn(pod corev1.PodSpec) types.UID {
	for _, container := range slices.Concat(pod.Containers, pod.InitContainers) {
		for _, variable := range container.Env {
			if variable.Name == v1alpha1.EnvUID {
				return types.UID(variable.Value)
			}
		}
		if len(container.Command) == 0 || container.Command[0] != runnerPath {
			continue
		}
		if options, err := runner.Parse(container.Command[1:]); err == nil && options.Identity.UID != "" {
			return types.UID(options.Identity.UID)
		}
	}
	return ""
}

// RunnerContainerIn is the name of the container whose command the runner runs: the test. It is empty if the test has no runner.
func RunnerContainerIn(pod corev1.PodSpec) string {
	for _, container := range pod.Containers {
		if len(container.Command) > 0 && container.Command[0] == runnerPath {
			return container.Name
		}
	}
	return ""
}

// runnerCanSetIdentity says whether nothing but what the runner runs needs the identity: the kubelet resolves $(NAME), and runs hooks and
// probes with the variables of the container.
func runnerCanSetIdentity(test *corev1.Container) bool {
	runs := func(probe *corev1.Probe) bool { return probe != nil && probe.Exec != nil }
	if test.Lifecycle != nil || runs(test.StartupProbe) || runs(test.LivenessProbe) || runs(test.ReadinessProbe) {
		return false
	}
	texts := slices.Concat(test.Command, test.Args)
	for _, variable := range test.Env {
		if strings.HasPrefix(variable.Name, v1alpha1.EnvPrefix) {
			return false
		}
		texts = append(texts, variable.Value)
	}
	for _, mount := range test.VolumeMounts {
		texts = append(texts, mount.SubPathExpr)
	}
	return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "$("+v1alpha1.EnvPrefix) })
}

func variables(ours []runner.Variable) []corev1.EnvVar {
	env := make([]corev1.EnvVar, 0, len(ours))
	for _, variable := range ours {
		env = append(env, corev1.EnvVar{Name: variable.Name, Value: variable.Value})
	}
	return env
}

// withEnv puts our variables first, so that the template's own can refer to them. Ours replace those with the same name.
func withEnv(templates, ours []corev1.EnvVar) []corev1.EnvVar {
	env := slices.Clone(ours)
	for _, variable := range templates {
		if !slices.ContainsFunc(ours, func(our corev1.EnvVar) bool { return our.Name == variable.Name }) {
			env = append(env, variable)
		}
	}
	return env
}
