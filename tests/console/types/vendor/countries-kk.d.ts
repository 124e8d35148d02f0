declare const names: Record<string, string>;
export default names;
