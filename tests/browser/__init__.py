"""The pages in a real browser, with a real relay, real mail and its store behind them."""
