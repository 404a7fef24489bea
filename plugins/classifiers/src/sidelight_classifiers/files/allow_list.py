"""Operators that a model file may use: functions of tensors that check their bounds, by themselves or by a guard.

Left out on purpose: operators that trust indices or sizes in their arguments (sparse constructors, `as_strided`,
embedding bags, unpooling, recurrent layers), that show uninitialised memory (`empty`), that read or write files, global
state or random streams, and that turn pixels into sizes (`nonzero`, `item`).
"""

from __future__ import annotations

_ELEMENTWISE = """
abs absolute acos acosh add addcdiv addcmul arctan asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or
bitwise_xor ceil celu clamp clamp_max clamp_min clip cos cosh div divide elu eq erf erfc erfinv exp exp2 expm1 fill
floor floor_divide fmod frac ge gelu greater greater_equal gt hardshrink hardsigmoid hardswish hardtanh le
leaky_relu lerp less less_equal log log10 log1p log2 logical_and logical_not logical_or logical_xor logit lt
masked_fill mish mul multiply nan_to_num ne neg negative not_equal pow reciprocal relu relu6 remainder round rsqrt
selu sigmoid sign silu sin sinc sinh sqrt square sub subtract tan tanh threshold tril triu true_divide trunc xlogy
zero dropout feature_dropout alpha_dropout feature_alpha_dropout rrelu
"""
_CREATION = """
arange clone contiguous detach eye full full_like lift_fresh lift_fresh_copy linspace new_full new_ones new_zeros
ones ones_like scalar_tensor tensor to type_as zeros zeros_like _to_copy _shape_as_tensor one_hot alias
"""
_SHAPE = """
adjoint atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors broadcast_to cat channel_shuffle chunk
column_stack concat concatenate constant_pad_nd diag diag_embed diagonal dsplit dstack expand expand_as flatten flip
fliplr flipud hsplit hstack meshgrid moveaxis movedim native_channel_shuffle narrow numpy_T pad permute
pixel_shuffle pixel_unshuffle ravel reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave
replication_pad1d replication_pad2d replication_pad3d reshape reshape_as roll rot90 select slice split
split_with_sizes squeeze stack swapaxes swapdims t tensor_split tile transpose unbind unflatten unfold unsafe_chunk
unsafe_split unsafe_split_with_sizes unsqueeze view view_as vsplit vstack im2col col2im _unsafe_view _pad_enum
_pad_circular select_scatter slice_scatter copy copy_ mT
"""
_INDEXING = """
argmax argmin argsort gather index index_add index_copy index_fill index_put index_put_ index_select masked_scatter
scatter scatter_ scatter_add scatter_add_ scatter_reduce sort take_along_dim topk tril_indices triu_indices where
embedding
"""
_REDUCTION = """
all amax amin aminmax any count_nonzero cummax cummin cumprod cumsum dist frobenius_norm kthvalue logcumsumexp
logsumexp max maximum mean median min minimum nanmean nansum norm prod std std_mean sum var var_mean linalg_norm
linalg_vector_norm
"""
_ALGEBRA = """
addbmm addmm addmv baddbmm bilinear bmm cdist cosine_similarity cross dot einsum inner kron linalg_cross
linalg_matmul linalg_matrix_norm linalg_multi_dot linalg_vecdot linear matmul mm mv outer pairwise_distance
tensordot vdot _weight_norm _weight_norm_interface norm_except_dim rsub logaddexp fft_fft fft_fft2 fft_fftn
fft_fftshift fft_ifft fft_ifft2 fft_ifftn fft_ifftshift fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn
view_as_complex view_as_real real imag complex conj angle isfinite isinf isnan isclose float_power
"""
_NETWORK = """
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
adaptive_max_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d max_pool1d
max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices affine_grid_generator
grid_sampler grid_sampler_2d grid_sampler_3d batch_norm group_norm instance_norm layer_norm native_batch_norm
native_group_norm native_layer_norm rms_norm _batch_norm_impl_index _native_batch_norm_legit
_native_batch_norm_legit_no_training conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
convolution _convolution _convolution_mode glu log_sigmoid log_softmax _log_softmax prelu _prelu_kernel softmax
_softmax _safe_softmax softplus softshrink special_expit special_log_softmax special_softmax native_dropout
scaled_dot_product_attention _native_multi_head_attention _transformer_encoder_layer_fwd upsample_bicubic2d
upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d
_upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_lanczos2d_aa _upsample_nearest_exact1d
_upsample_nearest_exact2d _upsample_nearest_exact3d
"""
_CHECKS = """
_assert_scalar _assert_tensor_metadata dim element_size get_device is_complex is_contiguous is_floating_point
is_signed is_same_size numel size stride sym_constrain_range sym_constrain_range_for_size sym_numel sym_size
sym_stride
"""
_SCRIPT_PRIM = """
Constant DictConstruct GetAttr If ListConstruct ListUnpack Loop NumToTensor RaiseException TupleConstruct TupleIndex
TupleSlice TupleUnpack Uninitialized abs data device dtype index is_cpu is_cuda is_meta is_mkldnn is_nested
is_quantized is_sparse is_xla is_xpu is_mps itemsize type layout max min rangelist requires_grad unchecked_cast
unchecked_unwrap_optional
"""

ATEN = frozenset(
    " ".join((_ELEMENTWISE, _CREATION, _SHAPE, _INDEXING, _REDUCTION, _ALGEBRA, _NETWORK, _CHECKS)).split()
) | {f"{name}_" for name in _ELEMENTWISE.split()}
"""Names of `aten` operators that a graph may use, in-place variants of elementwise ones among them."""
OVERLOADS_REFUSED = frozenset(
    {
        *("where.default", "repeat_interleave.Tensor", "repeat_interleave.self_Tensor"),
        *("tensor_split.tensor_indices_or_sections", "narrow.Tensor"),
    }
)
"""Variants of these whose output's size depends on the values of a tensor."""
SCRIPT_PRIM = frozenset(_SCRIPT_PRIM.split())
"""Kinds of `prim` node that TorchScript may have."""


def is_allowed(name: str, overload: str) -> bool:
    """Membership of an `aten` operator and its overload; those that write into given tensors (`out`) are left out."""
    return name in ATEN and f"{name}.{overload}" not in OVERLOADS_REFUSED and not overload.endswith("out")
