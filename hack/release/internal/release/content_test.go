package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"sigs.k8s.io/yaml"
)

func TestTheChartNamesTheImagesAndTheVersionOfTheRelease(t *testing.T) {
	root := released(t)
	files := untarGzip(t, readFile(t, root, "dist", "testrun-1.2.3.tgz"))
	if want := "apiVersion: v2\nname: testrun\nversion: 1.2.3\nappVersion: v1.2.3\n"; files["testrun/Chart.yaml"] != want {
		t.Errorf("Chart.yaml is\n%s", files["testrun/Chart.yaml"])
	}
	var values struct {
		Image  map[string]string
		Runner struct{ Image, Own map[string]string }
	}
	if err := yaml.Unmarshal([]byte(files["testrun/values.yaml"]), &values); err != nil {
		t.Fatalf("%v\n%s", err, files["testrun/values.yaml"])
	}
	for program, image := range map[string]map[string]string{"manager": values.Image, "runner": values.Runner.Own} {
		if image["repository"] != "registry.example.com/small/"+program || image["tag"] != "v1.2.3" || !strings.HasPrefix(image["digest"], "sha256:") {
			t.Errorf("the image of the %s is %v", program, image)
		}
	}
	if values.Runner.Image["repository"] != "other/runner" || !strings.Contains(files["testrun/values.yaml"], "# Whose image.") {
		t.Errorf("the values are\n%s\nwant the image of others, and the comment, left alone", files["testrun/values.yaml"])
	}
	if files["testrun/templates/pod.yaml"] != project["charts/testrun/templates/pod.yaml"] {
		t.Error("the templates are not in the chart")
	}
}

func untarGzip(t *testing.T, archive string) map[string]string {
	t.Helper()
	unzipped, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(unzipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}

func TestValuesThatLackADigestAreRefused(t *testing.T) {
	release := &Release{Version: "v1.2.3", Images: []Image{{"manager", "r/manager:v1.2.3", "sha256:0"}, {"runner", "r/runner:v1.2.3", "sha256:1"}}}
	for name, test := range map[string]struct{ values, want string }{
		"no digest":      {"a:\n  repository: testrun.invalid/testrun\n  tag: dev\n", "line 2: the image testrun.invalid/testrun has no line with its digest"},
		"no runner":      {"repository: testrun.invalid/testrun\ntag: dev\ndigest: ''\n", "no image has the repository testrun.invalid/runner"},
		"nothing at all": {"{}\n", "no image has the repository testrun.invalid/testrun"},
	} {
		if _, err := release.nameImagesInValues([]byte(test.values)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestTheImagesAreForBothArchitectures(t *testing.T) {
	root := released(t)
	folder := t.TempDir()
	if err := untar(filepath.Join(root, "dist", imagesFile("v1.2.3")), folder); err != nil {
		t.Fatal(err)
	}
	all, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, image := range manifest.Manifests {
		names[image.Annotations[annotationImageName]] = true
	}
	for _, program := range []string{"manager", "runner"} {
		name := "registry.example.com/small/" + program
		if !names[name+":v1.2.3"] || !names[name+"@"+digestIn(t, root, program)] {
			t.Errorf("the layout has the images %v, want that of the %s by tag and by digest", names, program)
		}
	}
	for _, program := range manifest.Manifests {
		index, err := all.ImageIndex(program.Digest)
		if err != nil {
			t.Fatal(err)
		}
		images, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var platforms []string
		for _, image := range images.Manifests {
			platforms = append(platforms, image.Platform.String())
			made, err := index.Image(image.Digest)
			if err != nil {
				t.Fatal(err)
			}
			config, err := made.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if config.Architecture != image.Platform.Architecture || config.Config.User != user || config.Created.Format("2006-01-02") != "2026-01-02" ||
				config.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" {
				t.Errorf("the configuration of %s is %+v", image.Platform, config)
			}
		}
		if strings.Join(platforms, " ") != "linux/amd64 linux/arm64" {
			t.Errorf("there are images for %q", platforms)
		}
	}
}

func digestIn(t *testing.T, root, program string) string {
	t.Helper()
	var release Release
	if err := json.Unmarshal([]byte(readFile(t, root, "dist", descriptionFile)), &release); err != nil {
		t.Fatal(err)
	}
	for _, image := range release.Images {
		if image.Program == program {
			return image.Digest
		}
	}
	t.Fatalf("the release has no image of the %s", program)
	return ""
}

func TestThePluginIsInAnArchiveForEachPlatform(t *testing.T) {
	root := released(t)
	for _, p := range desks {
		content := readFile(t, root, "dist", pluginArchive("v1.2.3", p))
		names := map[string]bool{}
		if p.os == "windows" {
			archive, err := zip.NewReader(strings.NewReader(content), int64(len(content)))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range archive.File {
				names[file.Name] = true
			}
		} else {
			for name := range untarGzip(t, content) {
				names[name] = true
			}
		}
		if !names[p.file(plugin)] || !names["LICENSE"] {
			t.Errorf("the archive for %s holds %v", p, names)
		}
	}
	manifest := readFile(t, root, "dist", krewFile)
	if !strings.Contains(manifest, "uri: https://github.com/testrun-dev/testrun/releases/download/v1.2.3/kubectl-testrun_v1.2.3_windows_arm64.zip") {
		t.Errorf("the manifest for krew is\n%s", manifest)
	}
}

func TestTheListOfModulesNamesTheProgramAndNothingOfTheMachine(t *testing.T) {
	root := released(t)
	content := readFile(t, root, "dist", "sbom", "manager_linux_arm64.cdx.json")
	var bom struct {
		BOMFormat, SerialNumber string
		Metadata                struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(content), &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.Metadata.Component.Name != "example.com/small" || bom.Metadata.Component.Version != "v1.2.3" ||
		bom.Metadata.Timestamp != "2026-01-02T03:04:05Z" || len(bom.SerialNumber) != len("urn:uuid:")+36 {
		t.Errorf("the list is\n%s", content)
	}
	if len(bom.Components) != 1 || bom.Components[0].Name != "std" {
		t.Errorf("the program is made of %v, want the standard library", bom.Components)
	}
	if strings.Contains(content, root) {
		t.Error("the list names the folder that it was made in")
	}
}

func TestAReleaseThatWasChangedIsNotPushed(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "a"), "a")
	w := &workshop{dist: folder}
	if err := w.sum(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := checkSums(folder); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func()
		want   string
	}{
		"changed":      {func() { writeFile(t, filepath.Join(folder, "a"), "b") }, "was changed after it was made"},
		"removed":      {func() { _ = os.Remove(filepath.Join(folder, "a")) }, "is not complete"},
		"leads out":    {func() { writeFile(t, filepath.Join(folder, sumsFile), strings.Repeat("0", 64)+"  ../a\n") }, "is not of the release"},
		"no checksums": {func() { _ = os.Remove(filepath.Join(folder, sumsFile)) }, "there is no release in"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, filepath.Join(folder, "a"), "a")
			test.change()
			err := Push(t.Context(), Options{Output: folder, Out: &bytes.Buffer{}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
		_ = os.Remove(filepath.Join(folder, sumsFile))
		writeFile(t, filepath.Join(folder, "a"), "a")
		if err := w.sum(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
