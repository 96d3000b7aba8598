package app

type control struct{}

func openControl(a *App, path string) (*control, error) { return &control{}, nil }

func (c *control) moveTo(path string) (*control, error) { return c, nil }

func (c *control) close() {}
