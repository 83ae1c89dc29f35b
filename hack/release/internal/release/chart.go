package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// chartName is the chart, and its folder below charts/.
const chartName = "testrun"

var (
	chartVersion    = regexp.MustCompile(`(?m)^version:.*$`)
	chartAppVersion = regexp.MustCompile(`(?m)^appVersion:.*$`)
)

// makeChart packs the chart, with the version and the images of the release in it. `helm package` would write the time of day into it.
func (w *workshop) makeChart(context.Context) error {
	folder := filepath.Join(w.Root, "charts", chartName)
	if !exists(folder) {
		return nil
	}
	files, err := readFolder(folder)
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(w.release.Version, "v")
	for i := range files {
		switch f := &files[i]; f.name {
		case "Chart.yaml":
			f.content, err = w.release.versionChart(f.content, version)
		case "values.yaml":
			f.content, err = w.release.nameImagesInValues(f.content)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", files[i].name, err)
		}
		files[i].name = chartName + "/" + files[i].name
	}
	w.release.Chart = chartName + "-" + version + ".tgz"
	var out bytes.Buffer
	if err := writeTarGzip(&out, files, w.release.Time); err != nil {
		return err
	}
	return w.write(w.release.Chart, out.Bytes())
}

func (r *Release) versionChart(chart []byte, version string) ([]byte, error) {
	if !chartVersion.Match(chart) || !chartAppVersion.Match(chart) {
		return nil, errors.New("it has no line with version, or none with appVersion")
	}
	chart = chartVersion.ReplaceAllLiteral(chart, []byte("version: "+version))
	return chartAppVersion.ReplaceAllLiteral(chart, []byte("appVersion: "+r.Version)), nil
}

// nameImagesInValues puts the release's images in the place of those that the values name: wherever there is a repository of ours, the
// lines with its tag and its digest change too. Comments and order stay.
func (r *Release) nameImagesInValues(values []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(values, &document); err != nil {
		return nil, err
	}
	lines := strings.Split(string(values), "\n")
	named := map[string]bool{}
	if err := eachMapping(&document, func(mapping map[string]*yaml.Node) error {
		repository := mapping["repository"]
		if repository == nil {
			return nil
		}
		for _, image := range r.Images {
			if repository.Value != placeholder(image.Program) {
				continue
			}
			named[image.Program] = true
			name, _, _ := strings.Cut(image.Name, ":"+r.Version)
			for key, value := range map[string]string{"repository": name, "tag": r.Version, "digest": image.Digest} {
				if mapping[key] == nil || mapping[key].Kind != yaml.ScalarNode {
					return fmt.Errorf("line %d: the image %s has no line with its %s", repository.Line, repository.Value, key)
				}
				line := &lines[mapping[key].Line-1]
				*line = (*line)[:mapping[key].Column-1] + value
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for _, program := range []string{"manager", "runner"} {
		if !named[program] {
			return nil, fmt.Errorf("no image has the repository %s, want that of the %s", placeholder(program), program)
		}
	}
	return []byte(strings.Join(lines, "\n")), nil
}

// eachMapping visits each mapping below a node, with what it holds by key.
func eachMapping(node *yaml.Node, visit func(map[string]*yaml.Node) error) error {
	if node.Kind == yaml.MappingNode {
		mapping := map[string]*yaml.Node{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			mapping[node.Content[i].Value] = node.Content[i+1]
		}
		if err := visit(mapping); err != nil {
			return err
		}
	}
	for _, child := range node.Content {
		if err := eachMapping(child, visit); err != nil {
			return err
		}
	}
	return nil
}
