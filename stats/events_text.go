package stats

// aspect is what of an element changes: its text, what it is coloured by, its tool
// tip, or the line that it draws.
type aspect uint8

const (
	aspectText aspect = iota
	aspectState
	aspectHint
	aspectPath
)

// item is one aspect of one element.
type item struct {
	aspect    aspect
	id, value string
}

// texts is everything on the page that changes, in the order of the page, so that
// two of them are compared side by side as long as they have the same key.
type texts struct {
	key   string
	items []item
}

// message is an event: for each aspect the values by the ID of their element.
type message struct {
	Key   string            `json:"k"`
	Text  map[string]string `json:"t,omitempty"`
	State map[string]string `json:"s,omitempty"`
	Hint  map[string]string `json:"h,omitempty"`
	Path  map[string]string `json:"d,omitempty"`
}

// since is the event that says what is not as it was before: everything when the
// page became another.
func (t *texts) since(before *texts) message {
	m := message{
		Key: t.key, Text: map[string]string{}, State: map[string]string{},
		Hint: map[string]string{}, Path: map[string]string{},
	}
	by := [...]map[string]string{
		aspectText: m.Text, aspectState: m.State, aspectHint: m.Hint, aspectPath: m.Path,
	}
	other := t.key != before.key || len(t.items) != len(before.items)
	for i := range t.items {
		if now := &t.items[i]; other || *now != before.items[i] {
			by[now.aspect][now.id] = now.value
		}
	}
	return m
}

// texts collects what changes on the page; size is about how much that is.
func (m *pageModel) texts(size int) texts {
	t := texts{key: m.Key, items: make([]item, 0, size)}
	t.add(m.Title)
	t.add(m.Reload)
	t.add(m.Draining)
	for _, tile := range m.Tiles {
		t.add(tile.Value)
		t.add(tile.Note)
	}
	for i := range m.Charts {
		t.addChart(&m.Charts[i])
	}
	for i := range m.Groups {
		t.put(aspectPath, m.Groups[i].Spark.ID, m.Groups[i].Spark.Path)
		for j := range m.Groups[i].Rows {
			t.addRow(&m.Groups[i].Rows[j])
		}
	}
	for _, l := range m.Lists {
		for _, row := range l.Rows {
			for _, c := range row {
				t.add(c)
			}
		}
	}
	return t
}

func (t *texts) addChart(c *chartModel) {
	for _, text := range []cell{c.Top, c.From, c.Middle, c.Wait} {
		t.add(text)
	}
	t.put(aspectState, c.Plot.ID, c.Plot.State)
	t.put(aspectPath, c.Fill.ID, c.Fill.Path)
	for _, line := range c.Lines {
		t.add(line.Last)
		t.put(aspectPath, line.ID, line.Path)
	}
}

func (t *texts) addRow(r *tableRow) {
	t.put(aspectState, r.ID, r.State)
	t.put(aspectText, r.Status.ID, r.Status.Text)
	t.put(aspectHint, r.Status.ID, r.Status.Hint)
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Text != "" {
			t.add(c.cell)
		}
	}
	for _, g := range r.Panel.Facts {
		for _, f := range g.Facts {
			t.add(f.cell)
		}
	}
	t.put(aspectState, r.Panel.Admin.ID, r.Panel.Admin.State)
}

// add takes a cell in.
func (t *texts) add(c cell) {
	t.put(aspectText, c.ID, c.Text)
	if c.State != "" {
		t.put(aspectState, c.ID, c.State)
	}
	if c.Hint != "" {
		t.put(aspectHint, c.ID, c.Hint)
	}
}

// put takes an aspect in, unless its element never changes.
func (t *texts) put(a aspect, id, value string) {
	if id != "" {
		t.items = append(t.items, item{a, id, value})
	}
}
