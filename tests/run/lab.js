// Whether a document is open, and if as a notebook then with its kernel at hand; its cells; and
// which open documents are marked unsaved.
path => {
  const found = [...jupyterapp.shell.widgets('main')].find(w => w.context?.path === path);
  const kernel = found?.sessionContext?.session?.kernel;
  return found?.context.isReady && (!found.sessionContext || kernel?.status === 'idle');
}

path => {
  const found = [...jupyterapp.shell.widgets('main')].find(w => w.context?.path === path);
  return found.content.model.toJSON().cells;
}

() => [...jupyterapp.shell.widgets('main')].filter(w => w.context?.model.dirty)
  .map(w => w.context.path)
