package main

// setNoDefaults takes Kubernetes' defaults from below each pod template: the Job of an attempt gets them anyway. The API server would
// write them into the stored object, and then `kubectl apply` and Argo CD, which compare lists as a whole, would find a difference from
// what is in git, for ever.
func setNoDefaults(schema map[string]any) {
	if isPodTemplate(schema) {
		stripDefaults(schema)
		return
	}
	for _, sub := range subschemas(schema) {
		setNoDefaults(sub)
	}
}

// stripDefaults also merges as a whole the lists whose keys had a default: the API server wants such a key to be there always.
func stripDefaults(schema map[string]any) {
	keys, _ := schema["x-kubernetes-list-map-keys"].([]any)
	for _, key := range keys {
		name, _ := key.(string)
		if _, ok := child(child(child(schema, "items"), "properties"), name)["default"]; ok {
			schema["x-kubernetes-list-type"] = "atomic"
			delete(schema, "x-kubernetes-list-map-keys")
			break
		}
	}
	delete(schema, "default")
	for _, sub := range subschemas(schema) {
		stripDefaults(sub)
	}
}
